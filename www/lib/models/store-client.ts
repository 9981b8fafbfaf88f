/** The page's side of the store's worker. */

import type { FileAnswer, FileRequest, FromStore, ModelView, ToStore } from "./store-protocol.ts";

export class StoreClient {
  readonly #worker: Worker;
  readonly #calls = new Map<number, PromiseWithResolvers<string>>();
  readonly #started = Promise.withResolvers<void>();
  #broken: Error | undefined;
  #last = 0;

  /** `show` gets the list of models whenever it changes; `lasting` tells whether models are there on the next visit. */
  constructor(
    wasm: Promise<WebAssembly.Module>,
    builtIn: string,
    show: (models: ModelView[], lasting: boolean) => void,
  ) {
    this.#worker = new Worker(new URL("./store-worker.ts", import.meta.url), { type: "module", name: "models" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromStore>) => {
      switch (data.kind) {
        case "started":
          this.#started.resolve();
          break;
        case "broken":
          this.#break(data.message);
          break;
        case "models":
          show(data.models, data.lasting);
          break;
        case "done":
          this.#settle(data.call)?.resolve(data.id);
          break;
        case "failed":
          this.#settle(data.call)?.reject(new Error(data.message));
      }
    };
    // Its script could not be loaded, or something in it failed that no call answers for.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#break(event.message);
    };
    this.#started.promise.catch(() => {});
    wasm.then(
      (wasm) => this.#post({ kind: "start", wasm, builtIn }),
      (error: Error) => this.#break(error.message),
    );
  }

  /** Starts the download of the model at an address, and resolves to its id. */
  add(address: string): Promise<string> {
    void navigator.storage?.persist?.();
    return this.#call((call) => ({ kind: "add", call, address }));
  }

  folder(name: string, files: Map<string, File>): Promise<string> {
    return this.#call((call) => ({ kind: "folder", call, name, files }));
  }

  resume(id: string): Promise<string> {
    return this.#call((call) => ({ kind: "resume", call, id }));
  }

  pause(id: string): Promise<string> {
    return this.#call((call) => ({ kind: "pause", call, id }));
  }

  remove(id: string): Promise<string> {
    return this.#call((call) => ({ kind: "remove", call, id }));
  }

  /** A port behind which the store gives out a model's files. */
  connect(id: string): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const connect = () => {
      if (this.#broken) throw this.#broken;
      this.#post({ kind: "connect", id, port: port1 }, [port1]);
    };
    this.#started.promise.then(connect).catch((error: Error) => refuse(port1, error.message));
    return port2;
  }

  async #call(message: (call: number) => ToStore): Promise<string> {
    await this.#started.promise;
    if (this.#broken) throw this.#broken;
    this.#last += 1;
    const call = Promise.withResolvers<string>();
    this.#calls.set(this.#last, call);
    this.#post(message(this.#last));
    return call.promise;
  }

  #settle(id: number): PromiseWithResolvers<string> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  /** Nothing is answered any more. */
  #break(reason: string | undefined): void {
    const why = reason ? ` (${reason})` : "";
    this.#broken = new Error(
      `The part of the page that keeps models has stopped${why}. Reload the page and try again.`,
    );
    this.#started.reject(this.#broken);
    for (const id of [...this.#calls.keys()]) this.#settle(id)?.reject(this.#broken);
  }

  #post(message: ToStore, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

/** Answers whoever asks for a file with why there is none. */
function refuse(port: MessagePort, message: string): void {
  port.onmessage = ({ data }: MessageEvent<FileRequest>) => {
    if (data.kind === "file") port.postMessage({ call: data.call, message } satisfies FileAnswer);
  };
}
