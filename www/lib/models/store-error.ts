/** What can go wrong with a model's files, in words for the user. */

import { inEnglish, type PageWhy } from "../why.ts";

export type StoreErrorKind =
  | "address"
  | "unreachable"
  | "forbidden"
  | "missing"
  | "manifest"
  | "damaged"
  | "space"
  | "storage"
  | "incomplete"
  | "busy"
  | "stopped";

export class StoreError extends Error {
  readonly kind: StoreErrorKind;
  readonly why: PageWhy | undefined;

  /** `why` may be a text that has no code, as the browser words it. */
  constructor(kind: StoreErrorKind, why: PageWhy | string, options?: ErrorOptions) {
    super(typeof why === "string" ? why : inEnglish(why), options);
    this.kind = kind;
    this.why = typeof why === "string" ? undefined : why;
  }

  /** Any error as one of ours; what the browser's storage throws is named by its kind. */
  static from(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof DOMException) {
      if (error.name === "AbortError") return new StoreError("stopped", { code: "stopped" }, { cause: error });
      if (error.name === "QuotaExceededError") return new StoreError("space", { code: "noRoom" }, { cause: error });
      if (error.name === "NoModificationAllowedError") {
        return new StoreError("busy", { code: "fileBusy" }, { cause: error });
      }
    }
    const message = error instanceof Error ? error.message : String((error as { message?: unknown })?.message ?? error);
    return new StoreError("storage", message, { cause: error });
  }
}
