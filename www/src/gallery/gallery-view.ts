/** The gallery on the page: small pictures as buttons, and what can be done with all of them. */

import { html, nothing, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";
import { t } from "../i18n/index.ts";
import type { Kept } from "./database.ts";
import type { Card, Gallery } from "./gallery.ts";
import { Shelf } from "./shelf.ts";

export interface GalleryActions {
  view(kept: Kept): void;
  exportAll(): void;
  clear(): void;
}

export function galleryView(gallery: Gallery, viewed: string | undefined, actions: GalleryActions): TemplateResult {
  return html`
    <div class="heading">
      <h2 id="gallery-title">${t.gallery}</h2>
      <span class="figures">${gallery.count > 0 ? t.pictures(gallery.count) : nothing}</span>
      <div class="group" ?hidden=${gallery.count === 0}>
        <button type="button" class="quiet small" @click=${actions.exportAll}>${t.exportAll}</button>
        <button type="button" class="quiet small" @click=${actions.clear}>${t.deleteAll}</button>
      </div>
    </div>
    <p class="trouble" role="alert" ?hidden=${!gallery.trouble}>${gallery.trouble?.() ?? nothing}</p>
    <p class="undo hint" role="status">${
      gallery.undoable
        ? html`${t.deleted}
              <button type="button" class="quiet small" @click=${() => gallery.undo()}>${t.undo}</button>`
        : nothing
    }</p>
    ${gallery.count > 0 ? listView(gallery, viewed, actions) : html`<p class="hint">${t.galleryEmpty}</p>`}
  `;
}

function listView(gallery: Gallery, viewed: string | undefined, actions: GalleryActions): TemplateResult {
  const shelf = shelfOf(gallery);
  const { first, ids } = gallery.near;
  return html`<div class="shelf" @scroll=${shelf.scrolled} ${ref(shelf.attach)}>
    <ul .style=${shelf.room(first, gallery.count - first - ids.length)} @keydown=${move}>
      ${repeat(
        ids,
        (id) => id,
        (id, at) => html`<li aria-posinset=${first + at + 1} aria-setsize=${gallery.count}>
          ${cardView(gallery.card(id), id === viewed, actions)}
        </li>`,
      )}
    </ul>
  </div>`;
}

function cardView(card: Card | undefined, viewed: boolean, { view }: GalleryActions): TemplateResult | typeof nothing {
  if (!card) return nothing;
  const { kept, url } = card;
  return html`<button
    type="button"
    class="thumbnail"
    aria-current=${viewed ? "true" : "false"}
    title=${kept.settings.prompt}
    @click=${() => view(kept)}
  >
    <img src=${url} alt=${describe(kept)} decoding="async" width="96" height="96" />
  </button>`;
}

function describe({ settings: { prompt, seed }, sizes, created }: Kept): string {
  return t.keptPicture(prompt, seed, sizes.at(-1) ?? 0, clock(created));
}

/** "2026-11-22 02:33", local: the browser's own words for a time cost a millisecond each, the first of them twenty. */
function clock(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The arrow keys go from picture to picture. */
function move(event: KeyboardEvent): void {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const item = (event.target as HTMLElement).closest("li");
  const next = (by > 0 ? item?.nextElementSibling : item?.previousElementSibling)?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  next.focus();
}

const shelves = new WeakMap<Gallery, Shelf>();

function shelfOf(gallery: Gallery): Shelf {
  let shelf = shelves.get(gallery);
  if (!shelf) {
    shelf = new Shelf((first, last) => gallery.look(first, last));
    shelves.set(gallery, shelf);
  }
  return shelf;
}
