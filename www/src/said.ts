/** Words on the page, marked as English where they are the engine's and the page is in another language. */

import { html, type TemplateResult } from "lit-html";
import { language } from "./i18n/index.ts";
import type { Words } from "./words.ts";

export function said({ text, foreign }: Words): TemplateResult | string {
  return foreign && language !== "en" ? html`<span lang="en">${text()}</span>` : text();
}
