/**
 * Makes what the GPU needs for a first picture while its prompt is still being written: one step of every stage, which
 * nobody sees. After it the weights are loaded and the GPU's programs are made.
 */

import type { Imagen } from "../lib/imagen.ts";

/**
 * `tell` gets how many of a part's programs are made. Resolves to whether all of it went well: what fails here fails again, and is
 * told, in a run that is asked for.
 */
export async function warmUp(
  imagen: Imagen,
  signal: AbortSignal,
  tell: (done: number, total: number) => void,
): Promise<boolean> {
  const { examples, stages } = imagen.model;
  const once = Object.fromEntries(stages.map(({ imageSize }) => [imageSize, { steps: 1 }]));
  try {
    const run = imagen.generate({ prompt: examples[0] ?? "a picture", stages: once, previews: 0, signal });
    for await (const event of run) {
      if ("bitmap" in event) event.bitmap.close();
      if (event.type === "compiling") tell(event.done, event.total);
    }
    return true;
  } catch {
    return false;
  }
}
