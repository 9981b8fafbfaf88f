/** The whole page, drawn from what is known: every part in its place. */

import { html, nothing, type TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";
import { bytesText } from "../lib/rate.ts";
import { type Composer, composerView } from "./composer-view.ts";
import { deviceView } from "./device-view.ts";
import { fieldText } from "./field.ts";
import { frameView } from "./frame-view.ts";
import type { Gallery } from "./gallery/gallery.ts";
import type { GalleryActions, galleryView } from "./gallery/gallery-view.ts";
import { type Language, language, languages, setLanguage, t } from "./i18n/index.ts";
import { Later } from "./later.ts";
import type { MemoryNeed } from "./memory-need.ts";
import type { Models } from "./models/models.ts";
import type { OpenedModel } from "./opened-model.ts";
import { said } from "./said.ts";
import type { Studio } from "./studio.ts";
import { setTheme, THEMES, theme } from "./theme.ts";
import { type PictureActions, toolbarView } from "./toolbar-view.ts";
import { trackView } from "./track-view.ts";
import { type DownloadActions, downloadView, welcomeView } from "./welcome-view.ts";

export interface Parts {
  studio: Studio;
  model: OpenedModel;
  models: Models;
  memory: MemoryNeed;
  gallery: Gallery;
  composer: Composer;
  pictureActions: PictureActions;
  galleryActions: GalleryActions;
  downloadActions: DownloadActions;
  /** What an action has to tell, apart from the run. */
  said: TemplateResult | undefined;
  /** The page opens without a network. */
  offline: boolean;
  /** Loads a newer version of the page, where there is one. */
  update: (() => void) | undefined;
  changed(): void;
}

const galleryPart = new Later(() => import("./gallery/gallery-view.ts"));
const modelsPart = new Later(() => import("./models/models-view.ts"));

/** Fetches what is not seen at once. */
export function fetchRest(changed: () => void): void {
  for (const part of [galleryPart, modelsPart]) part.fetch(changed);
}

export function page(parts: Parts): TemplateResult {
  const { models, gallery, composer, changed } = parts;
  return html`
    ${header(changed)}
    <div id="update" role="status">${
      parts.update
        ? html`${t.newerVersion}
            <button type="button" class="quiet small" @click=${parts.update}>${t.loadNewer}</button>`
        : nothing
    }</div>
    <main>
      ${composerView(composer)}
      <section id="result" aria-label=${t.picture}>${result(parts)}</section>
      <section id="gallery" aria-labelledby="gallery-title">
        ${gallery.ready ? galleryPart.draw(({ galleryView }) => once(parts, galleryView)) : nothing}
      </section>
    </main>
    ${
      // What lies below the gallery comes when it is known how long that is, and so stays where it is.
      gallery.ready
        ? html`${modelsPart.draw(({ modelsView }) => modelsView(models, parts.memory.bytes))} ${footer(parts)}`
        : nothing
    }
  `;
}

/** The gallery is drawn again only when something of it has changed. */
function once({ gallery, studio, galleryActions }: Parts, view: typeof galleryView): TemplateResult {
  const viewed = studio.frame.current?.id;
  return html`${guard([gallery.version, language, viewed], () => view(gallery, viewed, galleryActions))}`;
}

function result(parts: Parts): TemplateResult {
  const { studio, model, models, gallery, composer } = parts;
  const sizes = model.card?.stages.map(({ imageSize }) => imageSize) ?? [];
  const { frame } = studio;
  const { current } = frame;
  const { track, status, notices, profile } = studio.report;
  const { missing } = models;
  const empty = !current && frame.shots.length === 0;
  return html`
    ${frameView(frame, studio.running, empty ? welcomeView(models, parts.downloadActions) : undefined)}
    <p id="status" role="status">${said(status)}</p>
    ${track ? trackView(track) : nothing}
    ${missing && !empty ? downloadView(models, missing, parts.downloadActions) : nothing}
    <div id="notice" class="hint">${notices.map((notice) => html`<p>${said(notice)}</p>`)}</div>
    <div id="tools">
      ${toolbarView(studio, sizes, composer.form.stopAt, !!current && gallery.has(current.id), parts.pictureActions)}
    </div>
    <div id="told" role="status" class="hint">${parts.said ?? nothing}</div>
    <section id="profile" aria-label=${t.profile} ?hidden=${profile === ""}><pre tabindex="0">${profile}</pre></section>
  `;
}

function header(changed: () => void): TemplateResult {
  return html`<header>
    <div>
      <h1>imagen-web</h1>
      <p class="tagline">${t.tagline}</p>
    </div>
    <div class="group">
      <label class="visually-hidden" for="language">${t.language}</label>
      <select
        id="language"
        class="small"
        @change=${(event: Event) => void setLanguage(fieldText(event) as Language).then(changed)}
      >
        ${languages.map(
          ({ id, name, tag }) => html`<option value=${id} lang=${tag} .selected=${id === language}>${name}</option>`,
        )}
      </select>
      <label class="visually-hidden" for="theme">${t.theme}</label>
      <select
        id="theme"
        class="small"
        @change=${(event: Event) => {
          setTheme(fieldText(event));
          changed();
        }}
      >
        ${THEMES.map((name) => html`<option value=${name} .selected=${name === theme()}>${t.themeName(name)}</option>`)}
      </select>
    </div>
  </header>`;
}

function footer({ model, memory, offline }: Parts): TemplateResult {
  const { card, device } = model;
  return html`<footer>
    ${deviceView(device, memory.words)}
    <p id="model">${card ? t.modelLine(card.name, card.version, bytesText(card.bytes), card.license) : nothing}</p>
    <p>${t.staysHere} ${offline ? t.worksOffline : nothing}</p>
  </footer>`;
}
