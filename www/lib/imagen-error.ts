/** Everything that the API throws. */

import { StoreError, type StoreErrorKind } from "./models/store-error.ts";
import { inEnglish, type PageWhy, type Why } from "./why.ts";

/**
 * - `cancelled`: by a signal, by `break` or by `close()`;
 * - `refused`: `allowPrompt` said no;
 * - `request`: a setting that cannot be, such as an empty prompt;
 * - `network`: a host that cannot be reached or does not give out its files;
 * - `model`: no model is there, it is damaged, or not one of these;
 * - `space`: the browser has too little room for the model;
 * - `device`: there is no GPU where one was asked for, its memory ran out, or it was lost twice;
 * - `engine`: whatever else went wrong.
 */
export type ImagenErrorKind = "cancelled" | "refused" | "request" | "network" | "model" | "space" | "device" | "engine";

export class ImagenError extends Error {
  override readonly name = "ImagenError";
  readonly kind: ImagenErrorKind;
  /** What went wrong as a code and its values, where it has one: for pages in other languages than English. */
  readonly why: Why | undefined;

  constructor(kind: ImagenErrorKind, message: string, options: ErrorOptions & { why?: Why | undefined } = {}) {
    super(message, options);
    this.kind = kind;
    this.why = options.why;
  }

  /** One that has a code, in English. */
  static because(kind: ImagenErrorKind, why: PageWhy, options?: ErrorOptions): ImagenError {
    return new ImagenError(kind, inEnglish(why), { ...options, why });
  }

  /** Any error as one of these. */
  static from(error: unknown): ImagenError {
    if (error instanceof ImagenError) return error;
    const cause = { cause: error };
    if (error instanceof StoreError) {
      return new ImagenError(KINDS[error.kind], error.message, { ...cause, why: error.why });
    }
    return new ImagenError("engine", error instanceof Error ? error.message : String(error), cause);
  }

  /** For a run or a load that its user ended. */
  static cancelled(cause?: unknown): ImagenError {
    return new ImagenError("cancelled", "cancelled", { cause });
  }
}

const KINDS: Record<StoreErrorKind, ImagenErrorKind> = {
  address: "model",
  unreachable: "network",
  forbidden: "network",
  missing: "model",
  manifest: "model",
  damaged: "model",
  space: "space",
  storage: "engine",
  incomplete: "model",
  busy: "engine",
  stopped: "cancelled",
};
