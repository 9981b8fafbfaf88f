/** Runs the downloads of models: room first, then every file under its lock, and what became of it in the model. */

import { verifyFile } from "../../pkg/imagen_web.js";
import { inEnglish } from "../why.ts";
import { Download, damaged } from "./download.ts";
import { writing } from "./locks.ts";
import type { Model, Run, StoredFile } from "./model.ts";
import { reserve } from "./space.ts";
import type { PieceFile, Storage } from "./storage.ts";
import { StoreError } from "./store-error.ts";
import { BUILT_IN } from "./store-protocol.ts";

/** Pieces that are on their way at once; their bytes are what the worker's memory holds. */
const AT_ONCE = 4;

export class Fetcher {
  readonly #storage: Storage;
  readonly #changed: () => void;
  constructor(storage: Storage, changed: () => void) {
    this.#storage = storage;
    this.#changed = changed;
  }

  /** Fetches what is missing of a model, or of some of its files, or joins the run that is under way. */
  start(model: Model, files = model.files): Run {
    if (model.run) return model.run;
    const abort = new AbortController();
    const ready = new Map(files.map(({ entry }) => [entry.file, Promise.withResolvers<void>()]));
    // Whoever waits for a file is told; nobody has to.
    for (const { promise } of ready.values()) promise.catch(() => {});
    [model.error, model.note, model.waiting] = [undefined, undefined, false];
    const done = this.#run(model, files, abort, ready)
      .catch((thrown: unknown) => {
        const error = StoreError.from(thrown);
        for (const { reject } of ready.values()) reject(error);
        if (error.kind !== "stopped") model.error = { message: error.message, why: error.why };
        throw error;
      })
      .finally(async () => {
        model.run = undefined;
        await model.measure(this.#storage);
        this.#changed();
      });
    done.catch(() => {});
    model.run = { abort, done, ready };
    this.#changed();
    return model.run;
  }

  /** Ends a run; what has arrived is kept. */
  async stop(model: Model): Promise<void> {
    model.run?.abort.abort();
    await model.run?.done.catch(() => {});
  }

  async #run(model: Model, files: StoredFile[], abort: AbortController, ready: Run["ready"]): Promise<void> {
    const missing = await this.#missing(files);
    const builtIn = model.kind === BUILT_IN;
    // Of the built-in model a user waits for the first files: one after the other.
    const atOnce = builtIn ? 1 : AT_ONCE;
    // What is kept here need not lie in the browser's cache as well.
    const cache = this.#storage.lasting ? "no-store" : "default";
    const noRanges = () => {
      const why = { code: "wholeFilesOnly" } as const;
      model.note = { message: inEnglish(why), why };
      this.#changed();
    };
    const download = new Download((entry) => model.address(entry), cache, atOnce, abort.signal, noRanges);
    const results = await Promise.allSettled(
      files.map(async (file) => {
        const waiting = ready.get(file.entry.file);
        try {
          if (missing.includes(file)) await this.#file(model, file, download, abort.signal);
          waiting?.resolve();
        } catch (thrown) {
          const error = StoreError.from(thrown);
          waiting?.reject(error);
          // Of a model that is used file by file, the other files are still wanted.
          if (!builtIn) abort.abort(error);
          throw error;
        }
      }),
    );
    const failures = results.flatMap((result) =>
      result.status === "rejected" ? [StoreError.from(result.reason)] : [],
    );
    const failure = failures.find(({ kind }) => kind !== "stopped") ?? failures[0];
    if (failure) throw failure;
  }

  /** Those that are not whole, once there is room for them. */
  async #missing(files: StoredFile[]): Promise<StoredFile[]> {
    const seen = await Promise.all(
      files.map(async (file) => ({ file, ...(await this.#storage.look(file.key, file.entry)) })),
    );
    const missing = seen.filter(({ record }) => !record.whole);
    // Files that are equal lie in storage once.
    const once = [...new Map(missing.map((seen) => [seen.file.key, seen])).values()];
    const needed = once.reduce((bytes, { file, taken }) => bytes + Math.max(0, file.entry.size - taken), 0);
    const wanted = once.map(({ file }) => file);
    await reserve(this.#storage, wanted, needed);
    return missing.map(({ file }) => file);
  }

  async #file(model: Model, { key, entry }: StoredFile, download: Download, signal: AbortSignal): Promise<void> {
    const before = (await this.#storage.look(key, entry)).record.held;
    const waits = () => {
      model.waiting = true;
      this.#changed();
    };
    await writing(key, signal, waits, async () => {
      model.waiting = false;
      const file = await this.#storage.open(key, entry);
      const received = (bytes: number) => {
        model.held += bytes;
        this.#changed();
      };
      try {
        // Another tab may have fetched some of it meanwhile.
        received(file.record.held - before);
        for (let again = false; ; again = true) {
          await download.fetch(file, again ? "reload" : undefined, received);
          if (file.record.whole) return;
          // The manifest has only the whole file's hash.
          if (await verified(file)) {
            file.seal();
            return;
          }
          received(-entry.size);
          file.drop(file.record.indices());
          if (again) throw damaged(entry);
        }
      } finally {
        file.close();
      }
    });
  }
}

/** Whether the stored bytes have the hash of the manifest. What keeps them from being read says nothing of them. */
async function verified(file: PieceFile): Promise<boolean> {
  const { entry } = file.record;
  let unread: unknown;
  const read = async (at: number, length: number) => {
    try {
      const bytes = await file.read(at, length);
      if (bytes.byteLength === length) return bytes;
      throw new StoreError("storage", { code: "cut", file: entry.file });
    } catch (error) {
      unread = error;
      throw error;
    }
  };
  try {
    await verifyFile(entry.file, { size: entry.size, read }, entry.size, entry.sha256);
    return true;
  } catch (error) {
    if (unread !== undefined) throw unread;
    if ((error as { kind?: unknown }).kind !== "files") throw error;
    return false;
  }
}
