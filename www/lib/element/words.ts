/** What the element says. A site in another language assigns its own: `Object.assign(ImagenCanvas.words, { … })`. */

import type { ImagenError } from "../imagen-error.ts";
import { bytesText } from "../rate.ts";
import { sentence } from "../sentence.ts";

export interface Words {
  prompt: string;
  generate: string;
  cancel: string;
  download: string;
  /** The badge's text. */
  badge: string;
  progress: string;
  /** The picture's name where there is no prompt and none yet. */
  empty: string;
  waiting: string;
  downloading(done: number, total: number): string;
  loading: string;
  compiling: string;
  encoding: string;
  drawing(size: number): string;
  done: string;
  cancelled: string;
  /** What went wrong; `why` of the error is its code, for words of one's own. */
  error(error: ImagenError): string;
  /** The name of a picture of a prompt: what a screen reader says. */
  picture(prompt: string, size: number, preview: boolean): string;
}

export const english: Words = {
  prompt: "Describe a picture",
  generate: "Draw",
  cancel: "Cancel",
  download: "Save PNG",
  badge: "AI-generated",
  progress: "Progress of the picture",
  empty: "No picture yet",
  waiting: "Opening the model…",
  downloading: (done, total) => `Downloading the model: ${bytesText(done)} of ${bytesText(total)}`,
  loading: "Loading the model…",
  compiling: "Preparing the GPU…",
  encoding: "Reading the prompt…",
  drawing: (size) => `Drawing at ${size} × ${size}…`,
  done: "The picture is done.",
  cancelled: "Cancelled.",
  error: ({ message }) => sentence(message),
  picture: (prompt, size, preview) =>
    `AI-generated picture: ${prompt} (${preview ? "preview, " : ""}${size} × ${size} pixels)`,
};
