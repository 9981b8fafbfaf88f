/** How much of a run is done, for a progress bar. */

import type { GenerateEvent, GenerateOptions, StageCard } from "../api.ts";

/**
 * A step's work grows with the pixels, but a larger stage's network is smaller and takes fewer steps; counting a step by its
 * width comes close enough for a bar. Nothing is known before the first step.
 */
export class Fraction {
  #before = 0;
  readonly #work = new Map<number, number>();
  value: number | undefined;

  plan(stages: readonly StageCard[], { startAt = 0, stopAt = Number.POSITIVE_INFINITY, stages: own }: GenerateOptions) {
    for (const { imageSize, steps } of stages) {
      if (imageSize < startAt || imageSize > stopAt) continue;
      const asked = own?.[imageSize]?.steps;
      this.#work.set(imageSize, (typeof asked === "number" ? asked : steps) * imageSize);
    }
  }

  mark(event: GenerateEvent): void {
    if (event.type === "stage") this.#work.set(event.size, event.steps * event.size);
    if (event.type === "step") this.value = (this.#before + event.step * event.size) / this.#total;
    if (event.type === "picture") this.#before += this.#work.get(event.size) ?? 0;
  }

  get #total(): number {
    return [...this.#work.values()].reduce((sum, work) => sum + work, 0);
  }
}
