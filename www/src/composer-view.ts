/** The form: what to draw, from which seed, how many, and the button that begins. */

import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { bytesText, duration } from "../lib/rate.ts";
import type { Advanced } from "./advanced-view.ts";
import { choiceView } from "./choice-view.ts";
import { fieldText } from "./field.ts";
import { ownScript, t } from "./i18n/index.ts";
import { dieIcon, lockIcon } from "./icons.ts";
import { Later } from "./later.ts";
import { strangeScript, writtenIn } from "./prompt-script.ts";
import { said } from "./said.ts";
import type { Words } from "./words.ts";

/** Sizes of a grid. */
const COUNTS = [1, 2, 4, 6, 9, 16];
/** Examples that are shown at once. */
const EXAMPLES = 4;

/** Most visitors never look into it. */
const drawer = new Later(() => import("./advanced-view.ts"));

export interface Composer extends Advanced {
  /** Prompts that the model is good at. */
  examples: readonly string[];
  running: boolean;
  cancelling: boolean;
  error: Words | undefined;
  /** Milliseconds that this will take, where such a run was measured before. */
  estimate: number | undefined;
  /** It has a line, also while it is not known. */
  estimated: boolean;
  /** Bytes that are fetched first. */
  missing: number;
  /** Which of the examples are shown first. */
  exampleAt: number;
  generate(): void;
  cancel(): void;
  moreExamples(): void;
}

export function composerView(composer: Composer): TemplateResult {
  const { form, card, changed, examples, missing, running } = composer;
  return html`
    <form
      id="form"
      novalidate
      aria-label=${t.picture}
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        composer.generate();
      }}
    >
      <label for="prompt">${t.prompt}</label>
      <textarea
        id="prompt"
        rows="3"
        autocomplete="off"
        spellcheck="false"
        aria-describedby="prompt-script"
        aria-keyshortcuts="Control+Enter"
        placeholder=${examples[0] ?? t.promptPlaceholder}
        .value=${live(form.prompt)}
        @input=${(event: Event) => {
          form.prompt = fieldText(event);
          changed();
        }}
      ></textarea>
      <p id="prompt-script" class="hint" role="status">${scriptHint(form.prompt, examples)}</p>
      ${examples.length > 0 ? examplesView(composer) : nothing}
      <div class="row">
        <div class="seed">
          <label for="seed">${t.seed}</label>
          <input
            id="seed"
            type="number"
            min="0"
            step="1"
            inputmode="numeric"
            .value=${live(form.seed)}
            @input=${(event: Event) => {
              form.setSeed(fieldText(event));
              changed();
            }}
          />
          <button id="dice" type="button" class="quiet icon" aria-label=${t.newSeed} title=${t.newSeed} @click=${() => {
            form.roll();
            changed();
          }}>${dieIcon}</button>
          <button
            id="lock"
            type="button"
            class="quiet icon"
            aria-label=${t.keepSeed}
            title=${t.keepSeedHint}
            aria-pressed=${form.locked ? "true" : "false"}
            @click=${() => {
              form.locked = !form.locked;
              changed();
            }}
          >${lockIcon(form.locked)}</button>
        </div>
        <div class="count">
          <label for="count">${t.count}</label>
          ${choiceView("count", COUNTS, form.count, String, (count) => {
            form.count = count;
            changed();
          })}
        </div>
      </div>
      <p id="count-hint" class="hint" ?hidden=${form.count === 1}>${t.countHint(card?.stages[0]?.imageSize ?? 0)}</p>
      <div class="actions">
        <button id="generate" type="submit" class="primary" ?disabled=${running}>${t.generate}${missing > 0 && !running ? html` <small>${t.downloadsFirst(bytesText(missing))}</small>` : nothing}</button>
        <button
          id="cancel"
          type="button"
          aria-keyshortcuts="Escape"
          ?disabled=${!running || composer.cancelling}
          @click=${composer.cancel}
        >${t.cancel}</button>
      </div>
      <p id="estimate" class="hint">${estimateText(composer)}</p>
      <p class="hint keys">${t.keys}</p>
      <div id="error" role="alert">${composer.error ? said(composer.error) : nothing}</div>
      <details id="settings" @toggle=${() => drawer.fetch(changed)}>
        <summary>${t.settings}</summary>
        ${drawer.draw(({ advancedView }) => advancedView(composer))}
      </details>
    </form>
  `;
}

function estimateText({ estimate, estimated, form }: Composer): string {
  if (estimate === undefined) return estimated ? "\u00a0" : "";
  return t.estimate(duration(estimate * form.count), form.count);
}

/** What the model's text encoder is likely to make of the prompt's script, and of the page's. */
function scriptHint(prompt: string, examples: readonly string[]): string {
  const strange = strangeScript(prompt, examples);
  const example = examples[0] ?? "";
  if (strange) return t.strangeScript(t.scriptName(strange), example);
  const ownKnown = examples.length === 0 || writtenIn(examples.join("\n"), ownScript());
  return ownKnown ? "" : t.ownScriptUnknown(example);
}

function examplesView({ form, changed, examples, exampleAt, moreExamples }: Composer): TemplateResult {
  const shown = Array.from({ length: Math.min(EXAMPLES, examples.length) }, (_, i) => {
    return examples[(exampleAt + i) % examples.length] ?? "";
  });
  const take = (text: string) => {
    form.prompt = text;
    changed();
    document.getElementById("prompt")?.focus();
  };
  return html`<div id="examples">
    <p id="examples-title">${t.examples}</p>
    <ul>
      ${shown.map((text) => html`<li><button type="button" class="quiet chip" @click=${() => take(text)}>${text}</button></li>`)}
      ${
        examples.length > EXAMPLES
          ? html`<li><button type="button" class="quiet chip more" @click=${moreExamples}>${t.moreExamples}</button></li>`
          : nothing
      }
    </ul>
  </div>`;
}
