/**
 * The page's side of the worker: starts it, talks to it, and replaces it when it does not listen.
 *
 * The networks run synchronously between two steps. On a CPU a step of the largest stage takes many seconds, in which
 * no message is read; a cancel that is not answered soon ends the worker and starts another one. Another model gets
 * another worker too, so that nothing of the one before stays in memory.
 */

import type { EngineOptions, FromWorker, GenerateRequest, ToWorker } from "./protocol.ts";

/** How long a cancel may take before the worker is replaced. */
const PATIENCE_MS = 1500;

export class EngineClient {
  readonly #wasm: Promise<WebAssembly.Module>;
  readonly #connect: (model: string) => MessagePort;
  readonly #receive: (message: FromWorker) => void;
  #model = "";
  #options: EngineOptions;
  #worker: Worker | undefined;
  /** Done when the worker was told to open its model: nothing may reach it before that. */
  #opening: Promise<void> = Promise.resolve();
  #deadline = 0;
  #broken = false;

  /** `connect` gives access to the files of a model. */
  constructor(
    wasm: Promise<WebAssembly.Module>,
    connect: (model: string) => MessagePort,
    options: EngineOptions,
    receive: (message: FromWorker) => void,
  ) {
    this.#wasm = wasm;
    this.#connect = connect;
    this.#options = options;
    this.#receive = receive;
  }

  /** Opens a model, in place of the one that is open. */
  open(model: string): void {
    this.#settled();
    this.#model = model;
    this.#restart();
  }

  generate(request: GenerateRequest): void {
    if (this.#broken) this.#restart();
    this.#post({ kind: "generate", request });
  }

  cancel(): void {
    if (this.#deadline) return;
    this.#post({ kind: "cancel" });
    this.#deadline = window.setTimeout(() => this.#replace(), PATIENCE_MS);
  }

  /** Ends the worker, and with it all that it holds, until a model is opened again. */
  close(): void {
    this.#settled();
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #restart(): void {
    this.#worker?.terminate();
    this.#worker = this.#start();
    this.#broken = false;
  }

  #replace(): void {
    this.#deadline = 0;
    this.#restart();
    this.#receive({ kind: "cancelled" });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "imagen" });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#handle(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#handle({ kind: "failed", reason: "other", message: workerFailure(event.message), fatal: true });
    };
    const files = this.#connect(this.#model);
    this.#opening = this.#wasm.then(
      (wasm) => worker.postMessage({ kind: "open", wasm, files, options: this.#options } satisfies ToWorker, [files]),
      (error: Error) => this.#handle({ kind: "failed", reason: "other", message: error.message, fatal: true }),
    );
    return worker;
  }

  #handle(message: FromWorker): void {
    switch (message.kind) {
      case "failed":
        this.#broken = message.fatal;
        this.#settled();
        break;
      case "cancelled":
      case "done":
        this.#settled();
    }
    this.#receive(message);
  }

  #settled(): void {
    window.clearTimeout(this.#deadline);
    this.#deadline = 0;
  }

  #post(message: ToWorker): void {
    const worker = this.#worker;
    this.#opening.then(() => worker?.postMessage(message));
  }
}

function workerFailure(reason: string | undefined): string {
  return `The part of the page that computes has stopped${reason ? ` (${reason})` : ""}. Reload the page and try again.`;
}
