/**
 * The files of a model: downloaded in pieces, kept as Blobs, read anywhere.
 *
 * A Blob lives outside the JavaScript heap (in Chrome in the browser's process, on disk when large), and a slice of it
 * is read without touching the rest: no ArrayBuffer ever holds more than one piece.
 */

/** The largest buffer that is filled before it is handed to a Blob. */
const PIECE = 16 * 1024 * 1024;

export interface ModelFilesEvents {
  /** `bytes` more of the model have arrived. */
  received(bytes: number): void;
  /** A file is complete. */
  complete(name: string, blob: Blob): void;
}

export class ModelFiles {
  readonly #folder: URL;
  readonly #events: ModelFilesEvents;
  readonly #files = new Map<string, Promise<Blob>>();
  #abort = new AbortController();
  /** After a damaged file the browser's own cache is as suspect as ours. */
  #cache: RequestCache = "default";

  constructor(folder: URL, known: ReadonlyMap<string, Blob>, events: ModelFilesEvents) {
    this.#folder = folder;
    this.#events = events;
    for (const [name, blob] of known) this.#files.set(name, Promise.resolve(blob));
  }

  /** Bytes of a file; downloads it when it is not there yet. */
  async size(name: string): Promise<number> {
    return (await this.#file(name)).size;
  }

  /** `length` bytes from `offset`, or fewer where the file ends. */
  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    const blob = await this.#file(name);
    return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  }

  /** Downloads these one after the other while other work goes on. Errors show when the file is read. */
  async prefetch(names: Iterable<string>): Promise<void> {
    try {
      for (const name of names) await this.#file(name);
    } catch {
      // `size` or `read` of the same file reports it to the one who needs it.
    }
  }

  /** Stops running downloads. What is complete stays; the rest starts anew when it is next needed. */
  abort(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** Drops everything, and passes by the browser's cache from now on. */
  forget(): void {
    this.abort();
    this.#files.clear();
    this.#cache = "reload";
  }

  #file(name: string): Promise<Blob> {
    let file = this.#files.get(name);
    if (!file) {
      const started = this.#download(name, this.#abort.signal);
      this.#files.set(name, started);
      // A failed download is forgotten so that the next attempt starts one.
      started.catch(() => {
        if (this.#files.get(name) === started) this.#files.delete(name);
      });
      file = started;
    }
    return file;
  }

  async #download(name: string, signal: AbortSignal): Promise<Blob> {
    const response = await this.#request(name, signal);
    const pieces: Blob[] = [];
    let chunks: Uint8Array<ArrayBuffer>[] = [];
    let held = 0;
    let received = 0;
    const keep = () => {
      pieces.push(new Blob(chunks));
      chunks = [];
      held = 0;
    };
    try {
      const reader = (response.body ?? new Blob([]).stream()).getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        const chunk = next.value;
        if (held > 0 && held + chunk.byteLength > PIECE) keep();
        chunks.push(chunk);
        held += chunk.byteLength;
        received += chunk.byteLength;
        this.#events.received(chunk.byteLength);
      }
    } catch (cause) {
      this.#events.received(-received);
      throw downloadError("the connection broke off", cause);
    }
    keep();
    const blob = new Blob(pieces);
    this.#events.complete(name, blob);
    return blob;
  }

  async #request(name: string, signal: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(name, this.#folder), { signal, cache: this.#cache });
    } catch (cause) {
      throw downloadError("the server cannot be reached", cause);
    }
    if (!response.ok) throw downloadError(`the server answered ${response.status}`);
    return response;
  }
}

/** What happened and what to do; Rust puts the file's name in front of it. */
function downloadError(what: string, cause?: unknown): Error {
  return new Error(`${what}; check the connection and try again`, { cause });
}
