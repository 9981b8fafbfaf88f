/** Importing this defines `<imagen-canvas>`. */

import { ImagenCanvas } from "./element/imagen-canvas.ts";

export type { Generation, Picture } from "./element/imagen-canvas.ts";
export type { Words } from "./element/words.ts";
export { ImagenCanvas };

const TAG = "imagen-canvas";

// Two copies of the package on a page do no harm; on a server there are no elements.
if (globalThis.customElements && !customElements.get(TAG)) customElements.define(TAG, ImagenCanvas);

declare global {
  interface HTMLElementTagNameMap {
    "imagen-canvas": ImagenCanvas;
  }
}
