/**
 * A model's files as the engine reads them: the store, in its own worker, hands out each as a Blob, whose bytes stay
 * where they are; Rust gets slices.
 */

import type { FileSource, ModelSource } from "../../pkg/imagen_web.js";
import type { PageWhy } from "../why.ts";
import type { FileAnswer, FileRequest } from "./store-protocol.ts";

export class StoredFiles implements ModelSource {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<Blob> & { file: string }>();
  /** Why there was no such file when it was asked for last. */
  readonly #reasons = new Map<string, PageWhy | undefined>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<FileAnswer>) => {
      const call = this.#calls.get(data.call);
      this.#calls.delete(data.call);
      if ("blob" in data) {
        call?.resolve(data.blob);
        return;
      }
      if (call) this.#reasons.set(call.file, data.why);
      call?.reject(new Error(data.message));
    };
  }

  /** Waits for a file that is being downloaded. */
  async open(file: string): Promise<FileSource> {
    const call = { ...Promise.withResolvers<Blob>(), file };
    this.#last += 1;
    this.#calls.set(this.#last, call);
    this.#send({ kind: "file", call: this.#last, name: file });
    const blob = await call.promise;
    return {
      size: blob.size,
      read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
    };
  }

  /** The code of what `open` rejected with: Rust, which gets the error, hands on its text alone. */
  reason(file: string): PageWhy | undefined {
    return this.#reasons.get(file);
  }

  /** Tells that all files will be needed. */
  prefetch(): void {
    this.#send({ kind: "prefetch" });
  }

  /** Ends what is waited for. */
  stop(): void {
    this.#send({ kind: "stop" });
  }

  /** Tells that a file turned out to be damaged: what is stored is hashed again. */
  recheck(): void {
    this.#send({ kind: "recheck" });
  }

  #send(request: FileRequest): void {
    this.#port.postMessage(request);
  }
}
