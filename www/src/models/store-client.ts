/** The page's side of the store's worker. */

import type { FromStore, ModelView, ToStore } from "./store-protocol.ts";

export class StoreClient {
  readonly #worker: Worker;
  readonly #calls = new Map<number, PromiseWithResolvers<string>>();
  #last = 0;

  /** `show` gets the list of models whenever it changes; `lasting` tells whether models are there on the next visit. */
  constructor(
    wasm: Promise<WebAssembly.Module>,
    builtIn: string,
    show: (models: ModelView[], lasting: boolean) => void,
  ) {
    this.#worker = new Worker(new URL("./store-worker.ts", import.meta.url), { type: "module", name: "models" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromStore>) => {
      if (data.kind === "models") {
        show(data.models, data.lasting);
        return;
      }
      const call = this.#calls.get(data.call);
      this.#calls.delete(data.call);
      if (data.kind === "done") call?.resolve(data.id);
      else call?.reject(new Error(data.message));
    };
    // Messages that come before this one wait in the worker's order.
    this.#started = wasm.then((wasm) => this.#post({ kind: "start", wasm, builtIn }));
    this.#started.catch(() => {});
  }

  readonly #started: Promise<void>;

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
    void this.#started.then(() => this.#post({ kind: "connect", id, port: port1 }, [port1]));
    return port2;
  }

  async #call(message: (call: number) => ToStore): Promise<string> {
    await this.#started;
    this.#last += 1;
    const call = Promise.withResolvers<string>();
    this.#calls.set(this.#last, call);
    this.#post(message(this.#last));
    return call.promise;
  }

  #post(message: ToStore, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
