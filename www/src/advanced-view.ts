/** The drawer of what few people change: each stage's sampling, where to stop, adapters and memory. */

import { html, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import type { EngineOptions, ModelCard, StageCard } from "../lib/protocol.ts";
import { choiceView } from "./choice-view.ts";
import { fieldText } from "./field.ts";
import { t } from "./i18n/index.ts";
import { type Form, MAX_GUIDANCE, SAMPLERS, type StageForm } from "./settings.ts";

/** GiB to choose from. */
const MEMORY = [2, 4, 6, 8, 12, 16, 24];
const KINDS = ["dynamic", "static", "none"] as const;

export interface Advanced {
  form: Form;
  card: ModelCard | undefined;
  changed(): void;
  configure(change: Partial<EngineOptions>): void;
}

export function advancedView(advanced: Advanced): TemplateResult {
  const { form, card, changed } = advanced;
  const stages = card?.stages ?? [];
  return html`
    <label for="negative">${t.negativePrompt}</label>
    <textarea
      id="negative"
      rows="2"
      autocomplete="off"
      spellcheck="false"
      aria-describedby="negative-hint"
      .value=${live(form.negative)}
      @input=${(event: Event) => {
        form.negative = fieldText(event);
        changed();
      }}
    ></textarea>
    <p id="negative-hint" class="hint">${t.negativeHint}</p>

    <label for="stop">${t.stopAfter}</label>
    ${choiceView(
      "stop",
      stages.map(({ imageSize }) => imageSize),
      form.stopAt,
      (size) => `${size} × ${size}`,
      (size) => {
        form.stopAt = size;
        changed();
      },
    )}
    <p id="stop-hint" class="hint">${t.stopHint}</p>

    ${stages.map((stage) => stageView(stage, form.stages.get(stage.imageSize), changed))}
    <dl class="hints">
      ${[
        [t.steps, t.stepsHint],
        [t.guidance, t.guidanceHint],
        [t.sampler, t.samplerHint],
        [t.thresholding, t.thresholdingHint],
      ].map(([term, hint]) => html`<div><dt>${term}</dt><dd>${hint}</dd></div>`)}
    </dl>
    <button
      type="button"
      class="quiet small"
      @click=${() => {
        form.reset();
        changed();
      }}
    >${t.resetStages}</button>

    <label for="lora">${t.lora}</label>
    <div class="with-button">
      <input id="lora" type="file" accept=".safetensors" @change=${(event: Event) => adapt(advanced, event, true)} />
      <button
        id="lora-remove"
        type="button"
        class="quiet"
        @click=${(event: Event) => {
          const input = fieldOf(event, "#lora");
          if (input) input.value = "";
          advanced.configure({ adapter: undefined });
        }}
      >${t.remove}</button>
    </div>
    <label for="lora-scale">${t.loraScale}</label>
    <input
      id="lora-scale"
      type="number"
      value="1"
      step="0.1"
      min="-10"
      max="10"
      @change=${(event: Event) => adapt(advanced, event, false)}
    />
    <label for="gpu-memory">${t.gpuMemory}</label>
    <select
      id="gpu-memory"
      @change=${(event: Event) => advanced.configure({ gpuMemory: Number(fieldText(event)) * 2 ** 30 || undefined })}
    >
      <option value="">${t.gpuMemoryAuto}</option>
      ${MEMORY.map((gib) => html`<option value=${gib}>${gib} GiB</option>`)}
    </select>
  `;
}

function stageView(stage: StageCard, form: StageForm | undefined, changed: () => void): TemplateResult | undefined {
  if (!form) return undefined;
  const { imageSize: size } = stage;
  const name = `${size} × ${size}`;
  const field = (
    key: "steps" | "guidance" | "max" | "quantile",
    text: string,
    label: string,
    least: number,
    most: number,
  ) => html`
    <label>
      <span aria-hidden="true">${text}</span>
      <input
        type="number"
        aria-label=${label}
        min=${least}
        max=${most}
        step=${key === "steps" ? "1" : "any"}
        .value=${live(form[key])}
        @input=${(event: Event) => {
          form[key] = fieldText(event);
          changed();
        }}
      />
    </label>
  `;
  // A sampler with a number of its own, such as ddim:0.5, comes from a file or the model.
  const samplers = SAMPLERS.some((sampler) => sampler === form.sampler) ? SAMPLERS : [...SAMPLERS, form.sampler];
  return html`<fieldset class="stage" data-size=${size}>
    <legend>${name}</legend>
    ${field("steps", t.steps, t.stepsFor(name), 1, stage.maxSteps)}
    ${field("guidance", t.guidance, t.guidanceFor(name), 0, MAX_GUIDANCE)}
    <label>
      <span aria-hidden="true">${t.sampler}</span>
      <select
        aria-label=${t.samplerFor(name)}
        @change=${(event: Event) => {
          form.sampler = fieldText(event);
          changed();
        }}
      >
        ${samplers.map(
          (sampler) =>
            html`<option value=${sampler} .selected=${sampler === form.sampler}>${t.samplerName(sampler)}</option>`,
        )}
      </select>
    </label>
    <label>
      <span aria-hidden="true">${t.thresholding}</span>
      <select
        aria-label=${t.thresholdingFor(name)}
        @change=${(event: Event) => {
          form.thresholding = fieldText(event) as StageForm["thresholding"];
          changed();
        }}
      >
        ${KINDS.map(
          (kind) =>
            html`<option value=${kind} .selected=${kind === form.thresholding}>${t.thresholdingName(kind)}</option>`,
        )}
      </select>
    </label>
    ${form.thresholding === "none" ? "" : field("max", t.limit, t.limitFor(name), 0.001, 1000)}
    ${form.thresholding === "dynamic" ? field("quantile", t.quantile, t.quantileFor(name), 0, 1) : ""}
  </fieldset>`;
}

/** Opens the model again with the chosen file, at the chosen strength. */
function adapt({ configure }: Advanced, event: Event, chosen: boolean): void {
  const file = fieldOf(event, "#lora")?.files?.[0];
  const scale = fieldOf(event, "#lora-scale")?.valueAsNumber ?? 1;
  if (file || chosen) configure({ adapter: file && { file, scale } });
}

function fieldOf(event: Event, selector: string): HTMLInputElement | null | undefined {
  return (event.currentTarget as HTMLElement).closest("details")?.querySelector<HTMLInputElement>(selector);
}
