/** The picture in the middle of the page: one, a grid of variations, or what there is to say before the first. */

import { html, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { focusSoon } from "./focus.ts";
import type { Frame } from "./frame.ts";
import { t } from "./i18n/index.ts";
import type { Shot } from "./shot.ts";

/** `card` lies over the empty frame. */
export function frameView(frame: Frame, running: boolean, card: TemplateResult | undefined): TemplateResult {
  const { current, shots } = frame;
  const grid = !current && shots.length > 1;
  // Busy is the picture alone: what is busy around the status keeps a screen reader from saying it.
  return html`<div id="frame" aria-busy=${running ? "true" : "false"}>
    ${grid ? gridView(frame) : current ? single(current) : empty(card)}
  </div>`;
}

function single(shot: Shot): TemplateResult {
  shot.surface.describe(shot.alternative);
  wait(shot);
  return html`<div id="picture">${shot.surface.element}</div>`;
}

function empty(card: TemplateResult | undefined): TemplateResult {
  return html`
    <div id="picture"><div class="surface"><canvas role="img" aria-label=${t.noPicture} width="64" height="64"></canvas></div></div>
    ${card ? html`<div class="over">${card}</div>` : html`<p id="placeholder" aria-hidden="true">${t.placeholder}</p>`}
  `;
}

function gridView(frame: Frame): TemplateResult {
  const { shots } = frame;
  return html`<ul id="grid" class="grid-${Math.ceil(Math.sqrt(shots.length))}" aria-label=${t.variations}>
    ${repeat(
      shots,
      ({ id }) => id,
      (shot, index) => cell(frame, shot, index + 1),
    )}
  </ul>`;
}

function cell(frame: Frame, shot: Shot, number: number): TemplateResult {
  shot.surface.describe(undefined);
  wait(shot);
  const { seed } = shot.settings;
  return html`<li data-shot=${shot.state}>
    <button
      type="button"
      class="cell"
      aria-label=${t.pick(number, seed)}
      ?disabled=${shot.size === 0}
      @click=${() => {
        void frame.view(shot);
        focusSoon("#enlarge", "#tools a");
      }}
    >
      ${shot.surface.element}
      <span class="caption" aria-hidden="true">${seed}</span>
    </button>
  </li>`;
}

/** An empty surface that is worked on looks so. */
function wait({ surface, state }: Shot): void {
  surface.element.toggleAttribute("data-waiting", state === "running" && surface.size === 0);
}
