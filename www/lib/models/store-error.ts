/** What can go wrong with a model's files, in words for the user. */

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

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }

  /** Any error as one of ours; what the browser's storage throws is named by its kind. */
  static from(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof DOMException) {
      if (error.name === "AbortError") return new StoreError("stopped", "stopped", { cause: error });
      if (error.name === "QuotaExceededError") {
        const message = "this browser has no more space for this page; delete a model, or free space on the disk";
        return new StoreError("space", message, { cause: error });
      }
      if (error.name === "NoModificationAllowedError") {
        return new StoreError("busy", "another tab is using this file; close it and try again", { cause: error });
      }
    }
    const message = error instanceof Error ? error.message : String((error as { message?: unknown })?.message ?? error);
    return new StoreError("storage", message, { cause: error });
  }
}
