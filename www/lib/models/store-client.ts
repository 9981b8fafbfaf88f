/** The page's side of the store's worker. */

import type { PictureSettings } from "../api.ts";
import { StoreError } from "./store-error.ts";
import type { Answer, Fetch, FileAnswer, FileRequest, FromStore, ModelView, ToStore } from "./store-protocol.ts";

export class StoreClient {
  /** Compiled by the store's worker, for others to use as well. */
  readonly wasm: Promise<WebAssembly.Module>;
  readonly #worker: Worker;
  readonly #compiled = Promise.withResolvers<WebAssembly.Module>();
  readonly #calls = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #started = Promise.withResolvers<void>();
  #broken: StoreError | undefined;
  readonly #stopped = Promise.withResolvers<StoreError>();
  #last = 0;

  /** `show` gets the list of models whenever it changes; `lasting` tells whether models are there on the next visit. */
  constructor(builtIn: string, show: (models: ModelView[], lasting: boolean) => void) {
    this.#worker = new Worker(new URL("./store-worker.ts", import.meta.url), { type: "module", name: "models" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromStore>) => {
      switch (data.kind) {
        case "compiled":
          this.#compiled.resolve(data.wasm);
          break;
        case "started":
          this.#started.resolve();
          break;
        case "broken":
          this.#break(data.reason);
          break;
        case "models":
          show(data.models, data.lasting);
          break;
        case "done":
          this.#settle(data.call)?.resolve(data.answer);
          break;
        case "failed":
          this.#settle(data.call)?.reject(new StoreError(data.reason, data.why ?? data.message));
      }
    };
    // Its script could not be loaded, or something in it failed that no call answers for.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#break(event.message);
    };
    this.wasm = this.#compiled.promise;
    // Whoever uses them is told.
    this.wasm.catch(() => {});
    this.#started.promise.catch(() => {});
    this.#post({ kind: "start", builtIn });
  }

  /** Resolves when nothing is answered any more: for those who wait for a change in the list. */
  get stopped(): Promise<StoreError> {
    return this.#stopped.promise;
  }

  /**
   * Adds the model at an address, and resolves to its id. `files` says where each of its files lies, if not
   * beside the manifest under its own name.
   */
  add(address: string, fetch: Fetch, files?: Record<string, string>): Promise<string> {
    void navigator.storage?.persist?.();
    return this.#onModel((call) => ({ kind: "add", call, address, files, fetch }));
  }

  folder(name: string, files: Map<string, File>): Promise<string> {
    return this.#onModel((call) => ({ kind: "folder", call, name, files }));
  }

  resume(id: string): Promise<string> {
    return this.#onModel((call) => ({ kind: "resume", call, id }));
  }

  pause(id: string): Promise<string> {
    return this.#onModel((call) => ({ kind: "pause", call, id }));
  }

  remove(id: string): Promise<string> {
    return this.#onModel((call) => ({ kind: "remove", call, id }));
  }

  /** Downloads what is missing of a model, or of its newest version, or waits for the download that is under way. */
  whole(id: string, newest: boolean): Promise<string> {
    return this.#onModel((call) => ({ kind: "whole", call, id, newest }));
  }

  /** Reads all that is stored of a model and forgets what is damaged. */
  verify(id: string): Promise<string> {
    return this.#onModel((call) => ({ kind: "verify", call, id }));
  }

  /** What a PNG says of how it was made; nothing where it says nothing. */
  async settings(png: Blob): Promise<PictureSettings | undefined> {
    return (await this.#call((call) => ({ kind: "settings", call, png }))) as PictureSettings | undefined;
  }

  /** A port behind which the store gives out a model's files to an engine, which has one model at a time. */
  connect(id: string, engine = 0): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const connect = () => {
      if (this.#broken) throw this.#broken;
      this.#post({ kind: "connect", engine, id, port: port1 }, [port1]);
    };
    this.#started.promise.then(connect).catch((error: unknown) => refuse(port1, StoreError.from(error)));
    return port2;
  }

  /** An engine is closed. */
  leave(engine: number): void {
    this.#started.promise.then(
      () => this.#post({ kind: "leave", engine }),
      () => {},
    );
  }

  async #onModel(message: (call: number) => ToStore): Promise<string> {
    return (await this.#call(message)) as string;
  }

  async #call(message: (call: number) => ToStore): Promise<Answer> {
    await this.#started.promise;
    if (this.#broken) throw this.#broken;
    this.#last += 1;
    const call = Promise.withResolvers<Answer>();
    this.#calls.set(this.#last, call);
    this.#post(message(this.#last));
    return call.promise;
  }

  #settle(id: number): PromiseWithResolvers<Answer> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  /** Nothing is answered any more. */
  #break(reason: string | undefined): void {
    this.#broken = new StoreError("storage", { code: "storeStopped", reason: reason ?? "" });
    this.#compiled.reject(this.#broken);
    this.#started.reject(this.#broken);
    this.#stopped.resolve(this.#broken);
    for (const id of [...this.#calls.keys()]) this.#settle(id)?.reject(this.#broken);
  }

  #post(message: ToStore, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

/** Answers whoever asks for a file with why there is none. */
function refuse(port: MessagePort, { message, why }: StoreError): void {
  port.onmessage = ({ data }: MessageEvent<FileRequest>) => {
    if (data.kind === "file") port.postMessage({ call: data.call, message, why } satisfies FileAnswer);
  };
}
