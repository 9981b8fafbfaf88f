/** What can be done with the picture in the frame. */

import { html, nothing, type TemplateResult } from "lit-html";
import { fileName } from "./file-name.ts";
import { focusSoon } from "./focus.ts";
import { t } from "./i18n/index.ts";
import type { Shot } from "./shot.ts";
import type { Studio } from "./studio.ts";

export interface PictureActions {
  copy(shot: Shot): void;
  share(shot: Shot): void;
  fullScreen(): void;
  reuse(shot: Shot): void;
  remove(shot: Shot): void;
}

/** `kept`: it is in the gallery. `sizes` are those of the model's stages, `stopAt` the one that the form asks for. */
export function toolbarView(
  studio: Studio,
  sizes: readonly number[],
  stopAt: number,
  kept: boolean,
  actions: PictureActions,
): TemplateResult {
  const { running, frame } = studio;
  const { current: shot, shots, away } = frame;
  return html`
    ${
      away
        ? html`<button id="back" type="button" class="quiet small" @click=${() => {
            void frame.view(undefined);
            focusSoon("#grid button", "#tools a");
          }}>
            ${running ? t.backToRunning : shots.length > 1 ? t.backToGrid : t.backToLatest}
          </button>`
        : nothing
    }
    ${shot && shot.size > 0 ? details(shot, running, sizes, stopAt, kept, studio, actions) : nothing}
  `;
}

function details(
  shot: Shot,
  running: boolean,
  sizes: readonly number[],
  stopAt: number,
  kept: boolean,
  studio: Studio,
  actions: PictureActions,
): TemplateResult {
  const { prompt, seed } = shot.settings;
  const button = (id: string, label: string, act: () => void, shown = true) =>
    shown ? html`<button id=${id} type="button" class="quiet small" @click=${act}>${label}</button>` : nothing;
  return html`
    <div class="group" role="group" aria-label=${t.withPicture}>
      <a id="download" class="button small" href=${shot.url ?? "#picture"} download=${fileName(prompt, seed, shot.size)}>
        ${t.downloadPng}
      </a>
      ${button("copy", t.copy, () => actions.copy(shot), "ClipboardItem" in window)}
      ${button("share", t.share, () => actions.share(shot))}
      ${button("full", t.fullScreen, actions.fullScreen, document.fullscreenEnabled)}
      ${button("reuse", t.reuse, () => actions.reuse(shot))}
      ${button("delete", t.deletePicture, () => actions.remove(shot), kept && !running)}
    </div>
    ${running ? nothing : laterStages(shot, sizes, stopAt, studio)}
    <p class="facts hint">${t.factsOf(prompt, seed, shot.size, shot.model)}</p>
  `;
}

/** Larger, or the later stages once more with what the settings say now. */
function laterStages(
  shot: Shot,
  sizes: readonly number[],
  stopAt: number,
  studio: Studio,
): TemplateResult | typeof nothing {
  const next = sizes.find((size) => size > shot.size);
  const target = next === undefined ? undefined : Math.max(next, stopAt);
  const from = sizes.slice(0, -1).filter((size) => shot.files.has(size) && size < shot.size);
  if (target === undefined && from.length === 0) return nothing;
  const known = sizes.includes(shot.size);
  return html`<div class="group" role="group" aria-label=${t.laterStages}>
    ${
      target !== undefined && known
        ? html`<button id="enlarge" type="button" class="small primary" @click=${() => studio.enlarge(shot, target)}>
            ${t.enlargeTo(target)}
          </button>`
        : nothing
    }
    ${from.map(
      (size) => html`<button
        type="button"
        class="quiet small redo"
        title=${t.redoHint}
        @click=${() => studio.redo(shot, size)}
      >${t.redoFrom(size)}</button>`,
    )}
  </div>`;
}
