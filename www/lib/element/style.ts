/** The element's style, as a sheet that a page's Content-Security-Policy has nothing against. */

const CSS = `
:host { display: block; max-width: 100%; font: var(--imagen-font, inherit); color: var(--imagen-color, inherit); }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
.frame {
  position: relative; display: grid; overflow: hidden; aspect-ratio: 1;
  background: var(--imagen-background, color-mix(in srgb, currentColor 8%, transparent));
  border-radius: var(--imagen-radius, 0.5rem);
}
.frame > * { grid-area: 1 / 1; }
canvas { width: 100%; height: 100%; }
.fallback { display: grid; place-items: center; min-width: 0; min-height: 0; }
.fallback ::slotted(*) { max-width: 100%; }
.badge {
  place-self: end; margin: 0.5rem; padding: 0.1rem 0.5rem; border-radius: 1rem; font-size: 0.75rem;
  background: rgb(0 0 0 / 75%); color: white;
}
progress { width: 100%; height: 0.4rem; margin-block: var(--imagen-gap, 0.5rem) 0; accent-color: var(--imagen-accent, #345fb0); }
.status { min-height: 1.4em; margin: 0.25rem 0 0; font-size: 0.875rem; }
.controls { display: grid; gap: var(--imagen-gap, 0.5rem); margin-top: var(--imagen-gap, 0.5rem); }
.buttons { display: flex; flex-wrap: wrap; gap: var(--imagen-gap, 0.5rem); }
textarea, button, a {
  box-sizing: border-box; min-height: 2.25rem; padding: 0.4rem 0.75rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid color-mix(in srgb, currentColor 55%, transparent);
  border-radius: var(--imagen-radius, 0.5rem);
}
textarea { width: 100%; resize: vertical; }
a { text-decoration: none; }
button { cursor: pointer; }
.generate { background: var(--imagen-accent, #345fb0); border-color: transparent; color: var(--imagen-on-accent, white); }
button:disabled { opacity: 0.5; cursor: default; }
:focus-visible { outline: 3px solid var(--imagen-accent, #345fb0); outline-offset: 2px; }
`;

let sheet: CSSStyleSheet | undefined;

/** One sheet for all elements. */
export function style(): CSSStyleSheet {
  if (sheet) return sheet;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  return sheet;
}
