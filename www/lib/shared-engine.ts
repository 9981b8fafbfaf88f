/**
 * One worker and one GPU device for all users of a page who have the same model and options. Their runs take turns.
 */

import type { GenerateEvent } from "./api.ts";
import { EngineClient, failure } from "./engine-client.ts";
import { ImagenError } from "./imagen-error.ts";
import type {
  DeviceInfo,
  EngineOptions,
  FromWorker,
  MemoryPlan,
  MemoryRequest,
  ModelCard,
  Progress,
} from "./protocol.ts";
import type { Queue, Run } from "./run.ts";
import { shared } from "./shared.ts";

export interface Opened {
  model: ModelCard;
  device: DeviceInfo;
}

const engines = new Map<string, SharedEngine>();
/** Files have no identity that a text could hold. */
const fileIds = new WeakMap<File, number>();
let last = 0;

export class SharedEngine implements Queue {
  readonly opened: Promise<Opened>;
  readonly #opening = Promise.withResolvers<Opened>();
  readonly #key: string;
  readonly #id: number;
  readonly #model: string;
  readonly #client: EngineClient;
  readonly #waiting: Run[] = [];
  readonly #unwatch: () => void;
  #current: Run | undefined;
  #open = false;
  #users = 0;

  /** The engine for a stored model, which others may be using already. Each call is ended by a `release`. */
  static acquire(model: string, options: EngineOptions): SharedEngine {
    const key = keyOf(model, options);
    let engine = engines.get(key);
    if (!engine) {
      engine = new SharedEngine(key, model, options);
      engines.set(key, engine);
    }
    engine.#users += 1;
    return engine;
  }

  private constructor(key: string, model: string, options: EngineOptions) {
    const page = shared();
    last += 1;
    this.#id = last;
    this.#key = key;
    this.#model = model;
    this.opened = this.#opening.promise;
    this.opened.catch(() => {});
    const connect = (id: string) => page.store.connect(id, this.#id);
    this.#client = new EngineClient(page.wasm, connect, options, (message) => this.#receive(message));
    this.#client.open(model);
    this.#unwatch = page.watch((models) => {
      const view = models.find(({ id }) => id === this.#model);
      if (view?.state === "downloading") this.#current?.tell({ type: "download", done: view.held, total: view.bytes });
    });
  }

  /** A user is done with it; the last one ends the worker. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#forget();
    this.#unwatch();
    this.#client.close();
    shared().store.leave(this.#id);
    this.#opening.reject(ImagenError.cancelled());
    for (const run of [this.#current, ...this.#waiting.splice(0)]) run?.settle(ImagenError.cancelled());
    this.#current = undefined;
  }

  memory(request: MemoryRequest): Promise<MemoryPlan> {
    return this.#client.memory(request);
  }

  add(run: Run): void {
    this.#waiting.push(run);
    this.#next();
  }

  cancel(run: Run): void {
    if (run === this.#current) {
      this.#client.cancel();
      return;
    }
    const at = this.#waiting.indexOf(run);
    if (at >= 0) this.#waiting.splice(at, 1);
    run.settle();
  }

  #next(): void {
    if (this.#current) return;
    this.#current = this.#waiting.shift();
    if (this.#current) this.#client.generate(this.#current.request);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "opened":
        this.#open = true;
        this.#opening.resolve({ model: message.model, device: message.device });
        break;
      case "progress":
        for (const event of eventsOf(message.progress)) this.#current?.tell(event);
        break;
      case "picture": {
        const { size, bitmap, png } = message;
        const event: GenerateEvent = png ? { type: "picture", size, png, bitmap } : { type: "preview", size, bitmap };
        if (this.#current) this.#current.tell(event);
        else bitmap.close();
        break;
      }
      case "done":
        this.#finish();
        break;
      case "cancelled":
        this.#finish(ImagenError.cancelled());
        break;
      case "failed": {
        const error = failure(message);
        // A model that could not be opened may be had the next time it is asked for.
        this.#opening.reject(error);
        if (!this.#open) this.#forget();
        this.#finish(error);
      }
    }
  }

  #finish(error?: ImagenError): void {
    const run = this.#current;
    this.#current = undefined;
    run?.settle(error);
    this.#next();
  }

  /** The next user gets an engine of their own. */
  #forget(): void {
    if (engines.get(this.#key) === this) engines.delete(this.#key);
  }
}

function keyOf(model: string, { device, gpuMemory, adapter }: EngineOptions): string {
  const file = adapter && fileId(adapter.file);
  return JSON.stringify([model, device, gpuMemory, file, adapter?.scale]);
}

function fileId(file: File): number {
  const known = fileIds.get(file);
  if (known) return known;
  last += 1;
  fileIds.set(file, last);
  return last;
}

/** The worker's progress as the API tells it. A stage's end is told with its picture. */
function eventsOf(progress: Progress): GenerateEvent[] {
  switch (progress.event) {
    case "loading":
    case "compiling": {
      const { event: type, part, done, total } = progress;
      return [{ type, part, done, total }];
    }
    case "memory": {
      const { event: type, ...plan } = progress;
      return [{ type, message: plan.text, plan }];
    }
    case "encoding":
      return [{ type: "encoding" }];
    case "notice":
      return [{ type: "notice", message: progress.text, why: progress.why }];
    case "stage_started":
      return [{ type: "stage", size: progress.image_size, steps: progress.steps }];
    case "step":
      return [{ type: "step", size: progress.image_size, step: progress.step, steps: progress.steps }];
    case "stage_finished":
      return [];
    case "profile":
      return [{ type: "profile", part: progress.part, table: progress.table }];
    case "resumed":
      return [{ type: "resumed", size: progress.image_size }];
  }
}
