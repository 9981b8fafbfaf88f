/** What the open model takes of the device's memory, asked before a run, for the stages that the form asks for. */

import type { Imagen } from "../lib/imagen.ts";
import { ImagenError } from "../lib/imagen-error.ts";
import type { MemoryPlan, MemoryRequest } from "../lib/protocol.ts";
import { memoryText } from "../lib/rate.ts";
import { t } from "./i18n/index.ts";
import { own, told, type Words } from "./words.ts";

/** Milliseconds without a change before the plan is made anew. */
const PAUSE = 300;

export class MemoryNeed {
  readonly #changed: () => void;
  #imagen: Imagen | undefined;
  #asked = "";
  #timer = 0;
  /** As far as it is known. */
  words: Words | undefined;
  bytes: number | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Asks again where the model or the request is another one. `idle`: all of the model is there, and nothing is drawn. */
  look(imagen: Imagen | undefined, request: MemoryRequest & { stopAt: number }, idle: boolean): void {
    if (imagen !== this.#imagen) {
      [this.#imagen, this.#asked, this.words, this.bytes] = [imagen, "", undefined, undefined];
    }
    const asked = JSON.stringify(request);
    if (!imagen || !idle || asked === this.#asked) return;
    const pause = this.#asked ? PAUSE : 0;
    this.#asked = asked;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#ask(imagen, request), pause);
  }

  async #ask(imagen: Imagen, request: MemoryRequest & { stopAt: number }): Promise<void> {
    const result = await imagen.memory(request).catch(ImagenError.from);
    if (imagen !== this.#imagen || this.#asked !== JSON.stringify(request)) return;
    if (result instanceof ImagenError) {
      this.words = told(result);
      this.bytes = undefined;
    } else {
      this.words = own(() => planText(result, imagen.device.kind, request.stopAt));
      this.bytes = result.bytes ?? undefined;
    }
    this.#changed();
  }
}

function planText({ residency, bytes, budget }: MemoryPlan, kind: "gpu" | "cpu", size: number): string {
  const need = kind === "gpu" ? t.gpuNeed : t.cpuNeed;
  return [
    bytes === null ? "" : need(memoryText(bytes), size),
    t.residency(residency),
    budget === null ? "" : t.budgetOf(memoryText(budget)),
  ]
    .filter(Boolean)
    .join(" ");
}
