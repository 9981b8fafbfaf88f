/** The few drawings among the words. */

import { html, svg } from "lit-html";

export const dieIcon = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect x="3.5" y="3.5" width="17" height="17" rx="4" />
  <circle class="dot" cx="8.5" cy="8.5" r="1.4" />
  <circle class="dot" cx="15.5" cy="8.5" r="1.4" />
  <circle class="dot" cx="12" cy="12" r="1.4" />
  <circle class="dot" cx="8.5" cy="15.5" r="1.4" />
  <circle class="dot" cx="15.5" cy="15.5" r="1.4" />
</svg>`;

const shut = svg`<path d="M8 11V8a4 4 0 0 1 8 0v3" />`;
const open = svg`<path d="M8 11V8a4 4 0 0 1 7.5-2" />`;

export const lockIcon = (locked: boolean) => html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect x="5.5" y="11" width="13" height="9" rx="2.5" />
  ${locked ? shut : open}
</svg>`;
