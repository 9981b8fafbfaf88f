/** Parts of the page that nobody sees at first: fetched when the first of it is painted, or when they are asked for. */

import { html, nothing, type TemplateResult } from "lit-html";
import { t } from "./i18n/index.ts";

/** Resolves when what was drawn is painted; in a tab that nobody looks at, soon. */
export function painted(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) setTimeout(resolve);
    else requestAnimationFrame(() => setTimeout(resolve));
  });
}

export class Later<Part> {
  readonly #load: () => Promise<Part>;
  #loading = false;
  #part: Part | undefined;
  #failed = false;

  constructor(load: () => Promise<Part>) {
    this.#load = load;
  }

  /** Fetches the part, once; `changed` is told when it is there, or cannot be had. */
  fetch(changed: () => void): void {
    if (this.#loading) return;
    this.#loading = true;
    this.#load()
      .then(
        (part) => {
          this.#part = part;
        },
        // The host has a newer version of the page, or there is no network and this part was never kept.
        () => {
          this.#failed = true;
        },
      )
      .then(changed);
  }

  /** Draws with the part; nothing while it is on its way. */
  draw(view: (part: Part) => TemplateResult): TemplateResult | typeof nothing {
    if (this.#failed) return html`<p class="trouble" role="alert">${t.partMissing}</p>`;
    return this.#part ? view(this.#part) : nothing;
  }
}
