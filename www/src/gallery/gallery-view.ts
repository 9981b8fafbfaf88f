/** The gallery on the page: small pictures as buttons, and what can be done with all of them. */

import { html, nothing, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";
import { t } from "../i18n/index.ts";
import type { Kept } from "./database.ts";
import type { Gallery } from "./gallery.ts";

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
    <p class="hint" ?hidden=${gallery.count > 0}>${t.galleryEmpty}</p>
    <ul @keydown=${move}>
      ${repeat(
        gallery.visible,
        ({ id }) => id,
        (kept) => html`
          <li>
            <button
              type="button"
              class="thumbnail"
              aria-current=${kept.id === viewed ? "true" : "false"}
              title=${kept.settings.prompt}
              @click=${() => actions.view(kept)}
            >
              <img src=${gallery.address(kept)} alt=${describe(kept)} loading="lazy" decoding="async" width="96" height="96" />
            </button>
          </li>
        `,
      )}
    </ul>
    ${
      gallery.visible.length < gallery.count
        ? html`<button type="button" class="quiet more" @click=${() => gallery.more()} ${ref(whenSeen(gallery))}>
            ${t.showMore}
          </button>`
        : nothing
    }
  `;
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
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLButtonElement>("button")];
  const next = buttons[buttons.indexOf(event.target as HTMLButtonElement) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

const watchers = new WeakMap<Gallery, (element: Element | undefined) => void>();

/** Shows more as soon as the end of the list is near the view. */
function whenSeen(gallery: Gallery): (element: Element | undefined) => void {
  const known = watchers.get(gallery);
  if (known) return known;
  const observer = new IntersectionObserver(
    (entries) => {
      const seen = entries.find(({ isIntersecting }) => isIntersecting);
      if (!seen) return;
      gallery.more();
      // Asked again: it may still be in view when more is there.
      observer.unobserve(seen.target);
      observer.observe(seen.target);
    },
    { rootMargin: "400px" },
  );
  const watch = (element: Element | undefined) => {
    observer.disconnect();
    if (element) observer.observe(element);
  };
  watchers.set(gallery, watch);
  return watch;
}
