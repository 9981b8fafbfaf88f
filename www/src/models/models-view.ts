/** The models on the page: each with its size, what is there of it, and what can be done; and how to add one. */

import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { ModelView } from "../../lib/models/store-protocol.ts";
import { bytesText, memoryText } from "../../lib/rate.ts";
import { t } from "../i18n/index.ts";
import { said } from "../said.ts";
import { asTold } from "../words.ts";
import type { KnownFolder } from "./folders.ts";
import { canPickFolder, folderFromDrop, folderFromInput, pickFolder } from "./local-folder.ts";
import type { Models } from "./models.ts";

/** `need`: bytes that the open model takes to run, as far as they are known. */
export function modelsView(models: Models, need: number | undefined): TemplateResult {
  return html`<section
    id="models"
    aria-labelledby="models-title"
    @dragover=${over}
    @dragleave=${out}
    @drop=${(event: DragEvent) => {
      out(event);
      event.preventDefault();
      event.stopPropagation();
      if (event.dataTransfer) void models.folder(folderFromDrop(event.dataTransfer));
    }}
  >
    <div class="heading">
      <h2 id="models-title">${t.models}</h2>
      <span class="figures">${t.modelsHint}</span>
    </div>
    <ul>
      ${repeat(
        models.list,
        ({ id }) => id,
        (model) => modelView(models, model, need),
      )}
      ${repeat(
        models.folders.filter(
          ({ name }) => !models.list.some((model) => model.kind === "folder" && model.origin === name),
        ),
        ({ id }) => `known ${id}`,
        (folder) => folderView(models, folder),
      )}
    </ul>
    <form
      novalidate
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        const input = (event.currentTarget as HTMLFormElement).querySelector<HTMLInputElement>("#model-address");
        if (input) void models.add(input.value).then((added) => added && clear(input));
      }}
    >
      <label for="model-address">${t.addModel}</label>
      <div class="with-button">
        <input
          id="model-address"
          type="url"
          autocomplete="off"
          spellcheck="false"
          placeholder="https://example.org/my-model/imagen.json"
          aria-describedby="model-hint"
        />
        <button type="submit" class="quiet">${t.add}</button>
      </div>
      <p id="model-hint" class="hint">${t.addModelHint}</p>
      <button type="button" class="quiet" @click=${(event: Event) => pick(models, event)}>${t.openFolder}</button>
      <label for="model-files" class="visually-hidden">${t.folderOfModel}</label>
      <input
        id="model-files"
        type="file"
        webkitdirectory
        hidden
        @change=${({ currentTarget }: Event) => {
          const input = currentTarget as HTMLInputElement;
          if (input.files?.length) void models.folder(Promise.resolve(folderFromInput(input.files)));
          input.value = "";
        }}
      />
    </form>
    <p id="model-trouble" aria-live="polite" ?hidden=${!models.trouble}>${models.trouble ? said(models.trouble) : nothing}</p>
    <p id="model-space" class="hint">${models.lasting ? nothing : t.nothingKept}</p>
  </section>`;
}

function over(event: DragEvent): void {
  event.preventDefault();
  event.stopPropagation();
  (event.currentTarget as HTMLElement).dataset.over = "";
}

function out(event: DragEvent): void {
  delete (event.currentTarget as HTMLElement).dataset.over;
}

function modelView(models: Models, model: ModelView, need: number | undefined): TemplateResult {
  const { id, kind, name, state, bytes, held } = model;
  const opened = id === models.opened;
  const running = state === "downloading" || state === "waiting";
  const builtIn = kind === "built-in";
  const title = builtIn ? t.builtInName(name) : name;
  const button = (label: string, shown: boolean, act: () => void) => html`
    <button type="button" class="quiet small" aria-label=${`${label} ${title}`} ?hidden=${!shown} @click=${act}>
      ${label}
    </button>
  `;
  const checking = models.checking.has(id);
  const outdated = opened && models.outdated;
  return html`<li data-model=${state} aria-current=${opened ? "true" : nothing}>
    <strong title=${model.origin}>${name}</strong>
    <span class="figures">${figures(models, model, opened, need)}</span>
    <progress
      aria-label=${t.downloadOf(name)}
      max=${Math.max(bytes, 1)}
      .value=${held}
      ?hidden=${state === "whole" || (builtIn && !running)}
    ></progress>
    <span class="actions">
      ${button(t.open, (!opened || outdated) && (builtIn || state === "whole"), () => models.open(id))}
      ${button(t.resume, !running && state !== "whole" && !builtIn, () => models.resume(id))}
      ${button(t.pause, running, () => models.pause(id))}
      ${button(checking ? t.verifying : t.verify, held > 0 && kind !== "folder" && !running, () => models.verify(id))}
      ${button(t.delete, !builtIn && !opened, () => models.remove(id))}
    </span>
    ${model.newer ? newerView(models, model.newer, button) : nothing}
    ${outdated ? html`<p class="newer">${t.newerWhole}</p>` : nothing}
    <p class="trouble" aria-live="polite">${troubles(model.newer ?? model)}</p>
  </li>`;
}

/** What the model's address has now: offered, or on its way. */
function newerView(models: Models, newer: ModelView, button: ActionButton): TemplateResult {
  const { id, state, version, bytes, held, name } = newer;
  const running = state === "downloading" || state === "waiting";
  const { downloading, waiting } = progressFigures(models, newer);
  return html`<div class="newer">
    <p>${t.newerModel(version, bytesText(bytes - held))}</p>
    ${button(t.update, !running, () => models.resume(id))} ${button(t.pause, running, () => models.pause(id))}
    ${
      running
        ? html`<progress aria-label=${t.downloadOf(name)} max=${Math.max(bytes, 1)} .value=${held}></progress>
            <span class="figures">${(state === "waiting" ? waiting : downloading).join(" · ")}</span>`
        : nothing
    }
  </div>`;
}

type ActionButton = (label: string, shown: boolean, act: () => void) => TemplateResult;

function troubles({ error, note }: ModelView): (TemplateResult | string)[] {
  return [error, note].filter((told) => told !== undefined).flatMap((told) => [said(asTold(told)), " "]);
}

function progressFigures(models: Models, { id, bytes, held }: ModelView) {
  return {
    waiting: [bytesText(bytes), t.otherTabDownloads],
    downloading: [t.ofBytes(bytesText(held), bytesText(bytes)), ...models.speed(id).words(bytes - held)],
  };
}

function figures(models: Models, model: ModelView, opened: boolean, need: number | undefined): string {
  const { kind, state, bytes, held, version, license } = model;
  const known: Record<ModelView["state"], string[]> = {
    whole: [bytesText(bytes), kind === "folder" ? t.inFolder : t.onThisComputer],
    partial: [
      kind === "built-in" && held === 0 ? t.whenUsed(bytesText(bytes)) : t.ofBytes(bytesText(held), bytesText(bytes)),
    ],
    ...progressFigures(models, model),
  };
  const what = kind === "built-in" ? t.builtIn : t.version(version);
  const needs = opened && need !== undefined ? t.needs(memoryText(need)) : "";
  return [opened ? t.opened : "", what, t.licence(license), ...known[state], needs].filter(Boolean).join(" · ");
}

function folderView(models: Models, folder: KnownFolder): TemplateResult {
  return html`<li data-folder>
    <strong>${folder.name}</strong>
    <span class="figures">${t.knownFolder}</span>
    <span class="actions">
      <button type="button" class="quiet small" aria-label=${`${t.open} ${folder.name}`} @click=${() => models.reopen(folder)}>
        ${t.open}
      </button>
      <button type="button" class="quiet small" aria-label=${`${t.forget} ${folder.name}`} @click=${() => models.forget(folder)}>
        ${t.forget}
      </button>
    </span>
  </li>`;
}

function pick(models: Models, { currentTarget }: Event): void {
  const input = (currentTarget as HTMLElement).parentElement?.querySelector<HTMLInputElement>("#model-files");
  if (canPickFolder) void models.folder(pickFolder());
  else input?.click();
}

function clear(input: HTMLInputElement): void {
  input.value = "";
}
