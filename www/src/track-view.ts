/** The stage track below the picture, as a list with a bar for each part of the way. */

import { html, type TemplateResult } from "lit-html";
import { t } from "./i18n/index.ts";
import type { Leg, Track } from "./track.ts";

export function trackView({ legs }: Track): TemplateResult {
  return html`<ol id="progress" aria-label=${t.stages}>
    ${legs.map(legView)}
  </ol>`;
}

function legView({ size, state, done, total, figures }: Leg): TemplateResult {
  const name = size === 0 ? t.promptStage : `${size} × ${size}`;
  return html`<li data-row=${size === 0 ? "prompt" : size} data-leg=${state}>
    <span class="name">${name}</span>
    <progress aria-label=${name} max=${Math.max(total, 1)} .value=${done}></progress>
    <span class="figures">${state === "skipped" && done === 0 ? t.notThisTime : figures()}</span>
  </li>`;
}
