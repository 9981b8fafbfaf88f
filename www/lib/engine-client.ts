/**
 * The page's side of the worker: starts it, talks to it, and replaces it when it does not listen.
 *
 * The networks run synchronously between two steps. On a CPU a step of the largest stage takes many seconds, in which
 * no message is read; a cancel that is not answered soon ends the worker and starts another one. Another model gets
 * another worker too, so that nothing of the one before stays in memory.
 */

import { ImagenError, type ImagenErrorKind } from "./imagen-error.ts";
import type {
  EngineOptions,
  FailureReason,
  FromWorker,
  GenerateRequest,
  MemoryPlan,
  MemoryRequest,
  ToWorker,
} from "./protocol.ts";
import type { Told } from "./why.ts";

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
  /** Questions that wait for an answer of this worker. */
  readonly #asked = new Map<number, PromiseWithResolvers<MemoryPlan>>();
  #last = 0;

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

  /** What a run would take. Rejects with an `ImagenError`. */
  memory(request: MemoryRequest): Promise<MemoryPlan> {
    if (this.#broken) this.#restart();
    const call = Promise.withResolvers<MemoryPlan>();
    this.#last += 1;
    this.#asked.set(this.#last, call);
    this.#post({ kind: "memory", call: this.#last, request });
    return call.promise;
  }

  cancel(): void {
    if (this.#deadline) return;
    this.#post({ kind: "cancel" });
    this.#deadline = window.setTimeout(() => this.#replace(), PATIENCE_MS);
  }

  /** Ends the worker, and with it all that it holds, until a model is opened again. */
  close(): void {
    this.#settled();
    this.#end();
    this.#worker = undefined;
  }

  #restart(): void {
    this.#end();
    this.#worker = this.#start();
    this.#broken = false;
  }

  #end(): void {
    this.#worker?.terminate();
    for (const { reject } of this.#asked.values()) reject(ImagenError.cancelled());
    this.#asked.clear();
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
      this.#fail(ImagenError.because("engine", { code: "engineStopped", reason: event.message ?? "" }));
    };
    const files = this.#connect(this.#model);
    this.#opening = this.#wasm.then(
      (wasm) => worker.postMessage({ kind: "open", wasm, files, options: this.#options } satisfies ToWorker, [files]),
      (error: unknown) => this.#fail(ImagenError.from(error)),
    );
    return worker;
  }

  #fail({ message, why }: ImagenError): void {
    this.#handle({ kind: "failed", reason: "other", message, why, fatal: true });
  }

  #handle(message: FromWorker): void {
    switch (message.kind) {
      case "memory":
        this.#answered(message.call)?.resolve(message.plan);
        return;
      case "no-memory":
        this.#answered(message.call)?.reject(failure(message));
        return;
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

  #answered(call: number): PromiseWithResolvers<MemoryPlan> | undefined {
    const asked = this.#asked.get(call);
    this.#asked.delete(call);
    return asked;
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

/** What the worker says went wrong. */
export function failure({ reason, message, why }: { reason: FailureReason } & Told): ImagenError {
  return new ImagenError(KINDS[reason], message, { why });
}

const KINDS: Record<FailureReason, ImagenErrorKind> = {
  request: "request",
  files: "model",
  device: "device",
  other: "engine",
};
