/**
 * Text to pictures in the browser.
 *
 * ```ts
 * const imagen = await Imagen.load({ model: "https://example.org/model/" });
 * for await (const event of imagen.generate({ prompt: "a red house", seed: 7 })) {
 *   if (event.type === "picture") show(event.png);
 * }
 * ```
 *
 * All users of a page who load the same model with the same options share one worker and one GPU device; their runs take
 * turns. Nothing is fetched before the first `load`.
 */

import type { GenerateEvent, GenerateOptions, LoadOptions, ModelFiles, PictureSettings, StoredModel } from "./api.ts";
import { ImagenError } from "./imagen-error.ts";
import { BUILT_IN } from "./models/store-protocol.ts";
import type { DeviceInfo, MemoryPlan, MemoryRequest, ModelCard } from "./protocol.ts";
import { Run } from "./run.ts";
import { shared } from "./shared.ts";
import { type Opened, SharedEngine } from "./shared-engine.ts";

export type * from "./api.ts";
export { ImagenError, type ImagenErrorKind } from "./imagen-error.ts";
export { allowlist, blocklist } from "./prompt-rules.ts";
export type { During, EngineWhy, PageWhy, Why } from "./why.ts";

export class Imagen {
  readonly model: ModelCard;
  readonly device: DeviceInfo;
  readonly #engine: SharedEngine;
  readonly #allow: LoadOptions["allowPrompt"];
  #closed = false;

  private constructor(engine: SharedEngine, opened: Opened, allow: LoadOptions["allowPrompt"]) {
    this.#engine = engine;
    this.#allow = allow;
    this.model = opened.model;
    this.device = opened.device;
  }

  /**
   * Opens a model. One with an address is downloaded first, if it is not in this browser's storage already; the one beside
   * the page is downloaded while it is used.
   *
   * @throws {@link ImagenError}
   */
  static async load(options: LoadOptions = {}): Promise<Imagen> {
    const { device = "auto", gpuMemory, adapter, signal, onProgress } = options;
    const aborted = () => ImagenError.cancelled(signal?.reason);
    if (signal?.aborted) throw aborted();
    const model = await stored(options);
    if (signal?.aborted) throw aborted();
    onProgress?.({ type: "opening" });
    const merged = adapter && { file: adapter.file, scale: adapter.scale ?? 1 };
    const engine = SharedEngine.acquire(model, { device, gpuMemory, adapter: merged });
    try {
      const opened = await until(engine.opened, signal);
      return new Imagen(engine, opened, options.allowPrompt);
    } catch (error) {
      engine.release();
      throw ImagenError.from(error);
    }
  }

  /**
   * Makes one picture, stage by stage. `break`, `return()` and the request's signal end it within one step; the engine is
   * free for the next run then.
   *
   * @throws {@link ImagenError} while it is read.
   */
  generate(request: GenerateOptions): AsyncGenerator<GenerateEvent, undefined> {
    const { signal, ...rest } = request;
    const run = new Run(rest, this.#engine, () => this.#check(rest), signal);
    return run.iterator();
  }

  /**
   * What a run would take of the device's memory, counted without loading anything. Headers of the model's files are read
   * for it, so those of the model beside the page are fetched.
   *
   * @throws {@link ImagenError} of kind `device` where a budget was given that is too small.
   */
  async memory(request: MemoryRequest = {}): Promise<MemoryPlan> {
    if (this.#closed) throw ImagenError.because("cancelled", { code: "closed" });
    return this.#engine.memory(request);
  }

  /** Ends its runs' engine, unless others on the page use it too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.release();
  }

  /** What a PNG that was made here says of its making; nothing where it says nothing. */
  static async readSettings(png: Blob): Promise<PictureSettings | undefined> {
    try {
      return await shared().store.settings(png);
    } catch (error) {
      throw new ImagenError("request", (error as Error).message, { cause: error });
    }
  }

  async #check({ prompt, negativePrompt = "" }: GenerateOptions): Promise<void> {
    const open = () => {
      if (this.#closed) throw ImagenError.because("cancelled", { code: "closed" });
    };
    open();
    const allowed = (await this.#allow?.(prompt, negativePrompt)) ?? true;
    open();
    if (allowed === true) return;
    if (allowed) throw new ImagenError("refused", allowed);
    throw ImagenError.because("refused", { code: "notDrawn" });
  }
}

/** The id of the model in the store, where all of it is once this resolves; the one beside the page comes as it is used. */
async function stored({ model, signal, onProgress }: LoadOptions): Promise<string> {
  if (model === undefined) return BUILT_IN;
  const page = shared();
  try {
    // Whoever names an address wants what is there now.
    const newest = !isStored(model);
    const id = newest ? await until(add(model), signal) : model.id;
    if (id === BUILT_IN) return id;
    const unwatch = page.watch((models) => {
      const listed = models.find((view) => view.id === id);
      const view = (newest && listed?.newer) || listed;
      if (view?.state === "downloading") onProgress?.({ type: "download", done: view.held, total: view.bytes });
    });
    // Others may wait for the same model: then it goes on without this one.
    const waiting = (waiters.get(id) ?? 0) + 1;
    waiters.set(id, waiting);
    try {
      await until(page.store.whole(id, newest), signal);
    } finally {
      unwatch();
      waiters.set(id, (waiters.get(id) ?? 1) - 1);
      if (signal?.aborted && !waiters.get(id)) void page.store.pause(id).catch(() => {});
    }
    return id;
  } catch (error) {
    throw ImagenError.from(error);
  }
}

/** How many loads wait for a model's download. */
const waiters = new Map<string, number>();

function add(model: string | URL | ModelFiles): Promise<string> {
  const { store } = shared();
  const absolute = (address: string | URL) => new URL(address, document.baseURI).href;
  // Its download begins when somebody waits for it.
  if (typeof model === "string" || model instanceof URL) return store.add(absolute(model), "nothing");
  const files = Object.entries(model.files).map(([name, address]) => [name, absolute(address)]);
  return store.add(absolute(model.manifest), "nothing", Object.fromEntries(files));
}

function isStored(model: string | URL | ModelFiles | StoredModel): model is StoredModel {
  return typeof model === "object" && "id" in model;
}

/** What a promise gives, unless the signal comes first. */
function until<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(ImagenError.cancelled(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
