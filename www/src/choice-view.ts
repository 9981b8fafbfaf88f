/** A field that offers a few numbers. What is said of them stands beside it, under its id and `-hint`. */

import { html, type TemplateResult } from "lit-html";
import { fieldText } from "./field.ts";

export function choiceView(
  id: string,
  numbers: readonly number[],
  chosen: number,
  name: (number: number) => string,
  choose: (number: number) => void,
): TemplateResult {
  return html`<select
    id=${id}
    aria-describedby="${id}-hint"
    @change=${(event: Event) => choose(Number(fieldText(event)))}
  >
    ${numbers.map((number) => html`<option value=${number} .selected=${number === chosen}>${name(number)}</option>`)}
  </select>`;
}
