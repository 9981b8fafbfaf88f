/**
 * The models of this browser: the one that ships, those added by address, and local folders for as long as the page is
 * open. A model by address is used only when all of it is there and verified; the one that ships is used file by file.
 */

import { BuiltIn } from "./built-in.ts";
import { dropDamaged } from "./damage.ts";
import { Fetcher } from "./fetcher.ts";
import { fetchManifest, MANIFEST, manifestAddress, Transient } from "./http.ts";
import { InUse } from "./in-use.ts";
import { Library } from "./library.ts";
import { ifFree } from "./locks.ts";
import { Memory } from "./memory.ts";
import { Model, type StoredFile } from "./model.ts";
import { Opfs } from "./opfs.ts";
import { sha256Hex } from "./pieces.ts";
import type { Storage } from "./storage.ts";
import { StoreError } from "./store-error.ts";
import { BUILT_IN, type Fetch, type ModelView } from "./store-protocol.ts";

export class ModelStore {
  readonly #storage: Storage;
  readonly #library: Library;
  readonly #fetcher: Fetcher;
  readonly #builtIn: BuiltIn;
  readonly #changed: () => void;
  readonly #models = new Map<string, Model>();
  /** Other tabs change the same storage. */
  readonly #tabs = new BroadcastChannel("imagen-models");
  #folders = 0;
  /** What each engine has open. */
  readonly #inUse = new Map<number, InUse>();

  private constructor(storage: Storage, builtIn: URL, changed: () => void) {
    this.#storage = storage;
    this.#library = new Library(storage);
    this.#fetcher = new Fetcher(storage, changed);
    this.#builtIn = new BuiltIn(builtIn, storage, this.#library, this.#models, changed);
    this.#changed = changed;
    // A list that cannot be read now is read at the next change.
    this.#tabs.onmessage = () => this.#refresh().catch(() => {});
  }

  /** `changed` is called whenever `views` would answer something else. */
  static async start(builtIn: URL, changed: () => void): Promise<ModelStore> {
    const storage = await Opfs.open().catch(() => new Memory());
    const store = new ModelStore(storage, builtIn, changed);
    await store.#refresh();
    // It is in the list also where the page was opened with another one; whoever opens it is told what fails.
    store.#builtIn.open().catch(() => {});
    return store;
  }

  get lasting(): boolean {
    return this.#storage.lasting;
  }

  views(): ModelView[] {
    const views = [...this.#models.values()].map((model) => model.view());
    return views.sort((a, b) => Number(b.kind === BUILT_IN) - Number(a.kind === BUILT_IN));
  }

  /**
   * Reads the manifest at an address; adding a model again looks for a newer one, which takes the place of one that is whole
   * when it is whole itself. `places` says where each file lies, if not beside the manifest under its own name.
   */
  async add(address: string, places: Record<string, string> | undefined, fetch: Fetch): Promise<string> {
    const url = manifestAddress(address);
    const id = (await sha256Hex(new TextEncoder().encode(url.href))).slice(0, 32);
    const old = this.#models.get(id);
    if (old?.busy) return id;
    let manifest: Uint8Array<ArrayBuffer>;
    try {
      manifest = await fetchManifest(url);
    } catch (error) {
      // Without a connection, what is there will do.
      if (error instanceof Transient && old?.whole) return id;
      throw error;
    }
    const read = await Model.read(id, "url", url.href, manifest);
    const model = [old, old?.newer].find((known) => known?.revision === read.revision) ?? read;
    model.places = places;
    await model.measure(this.#storage);
    const kept = old?.whole && model !== old && !model.whole;
    if (kept) old.newer = model;
    else model.newer = undefined;
    await this.#list(kept ? old : model);
    if (fetch === "newest" || (fetch === "missing" && !kept)) this.resume(id);
    return id;
  }

  /** From now on this is the model of its address. */
  async #list(model: Model): Promise<void> {
    await this.#library.add(model);
    this.#models.set(model.id, model);
    this.#told();
    await this.#library.sweep();
  }

  /** Opens a folder's files; nothing is copied. */
  async addFolder(name: string, files: ReadonlyMap<string, File>): Promise<string> {
    const manifest = files.get(MANIFEST);
    if (!manifest) throw new StoreError("missing", { code: "noManifest", folder: name, file: MANIFEST });
    const bytes = new Uint8Array(await manifest.arrayBuffer());
    this.#folders += 1;
    const model = await Model.read(`folder-${this.#folders}`, "folder", name, bytes, files);
    for (const { entry } of model.files) model.localFile(entry);
    await model.measure(this.#storage);
    this.#models.set(model.id, model);
    this.#changed();
    return model.id;
  }

  /** Starts or goes on with a download, of the newest version. What fails is told in the model's view. */
  resume(id: string): void {
    this.#fetchNewest(id).catch(() => {});
  }

  async #fetchNewest(id: string): Promise<void> {
    const model = this.#model(id);
    const { newer } = model;
    await this.#fetch(newer ?? model);
    if (newer?.whole && this.#models.get(id)?.newer === newer) await this.#list(newer);
  }

  async #fetch(model: Model): Promise<void> {
    if (model.whole || model.local) return;
    await this.#fetcher.start(model).done.finally(() => this.#told());
  }

  /** Downloads what is missing of a model, or of its newest version, or waits for the download that is under way. */
  async fetched(id: string, newest: boolean): Promise<void> {
    if (!newest) return this.#fetch(this.#model(id));
    try {
      await this.#fetchNewest(id);
    } catch (error) {
      // As in `add`.
      if (!(error instanceof Transient && this.#model(id).whole)) throw error;
    }
  }

  async pause(id: string): Promise<void> {
    await this.#stop(this.#model(id));
  }

  async #stop(model: Model): Promise<void> {
    await Promise.all([this.#fetcher.stop(model), model.newer && this.#fetcher.stop(model.newer)]);
  }

  /** Deletes a model and the files that no other one has. */
  async remove(id: string): Promise<void> {
    const model = this.#model(id);
    const { name } = model.card;
    await this.#stop(model);
    if (this.#uses(id).length > 0) throw new StoreError("busy", { code: "modelOpen", name });
    if (!model.local) {
      const others = await this.#library.used(id);
      for (const { key } of [...model.files, ...(model.newer?.files ?? [])]) {
        if (!others.has(key) && !(await ifFree(key, async () => {}))) {
          throw new StoreError("busy", { code: "modelInOtherTab", name });
        }
      }
      await this.#library.remove(model);
      await this.#library.sweep();
    }
    this.#models.delete(id);
    this.#told();
  }

  /** From now on an engine reads this model as it is now, also when a newer one has taken its place. */
  use(engine: number, id: string): InUse {
    const before = this.#inUse.get(engine);
    const use = new InUse(id, id === BUILT_IN ? undefined : this.#models.get(id));
    this.#inUse.set(engine, use);
    before?.end();
    return use;
  }

  /** An engine has closed its model. */
  leave(engine: number): void {
    this.#inUse.get(engine)?.end();
    this.#inUse.delete(engine);
  }

  /** A file for the engine, whole and verified. */
  async file(use: InUse, name: string): Promise<Blob> {
    const model = use.id === BUILT_IN ? await this.#builtIn.open() : use.model;
    if (!model) throw gone();
    if (model.kind === "url") {
      if (!model.whole) {
        throw new StoreError("incomplete", { code: "incomplete", name: model.card.name });
      }
      // Also those that are read later: a newer version of the model would have them deleted.
      await Promise.all(model.files.map(({ key }) => use.hold(key)));
    }
    if (name === MANIFEST) return new Blob([model.manifest]);
    const file = model.files.find(({ entry }) => entry.file === name);
    if (!file) throw new StoreError("missing", { code: "notNamed" });
    if (model.local) return model.localFile(file.entry);
    return this.#stored(use, model, file);
  }

  /** Fetches all of the model that ships. */
  async prefetch(use: InUse): Promise<void> {
    const model = this.#used(use);
    // A run that brings a single file comes first.
    while (model?.run && model.run.ready.size < model.files.length) await model.run.done.catch(() => {});
    // A version that another one has replaced is not to be had any more.
    if (model && model === this.#models.get(use.id)) await this.#fetch(model).catch(() => {});
  }

  async stop(use: InUse): Promise<void> {
    const model = this.#used(use);
    if (model) await this.#fetcher.stop(model);
  }

  /** Hashes what is stored of a model and forgets the pieces that are damaged. */
  async recheck(use: InUse): Promise<void> {
    const model = this.#used(use);
    if (model) await this.#check(model, [use]);
  }

  /** The same for whoever doubts a model; engines that have it open let go of its files meanwhile. */
  async verify(id: string): Promise<void> {
    await this.#check(this.#model(id), this.#uses(id));
  }

  async #check(model: Model, uses: InUse[]): Promise<void> {
    if (model.local) return;
    await Promise.all([this.#fetcher.stop(model), ...uses.map((use) => use.release())]);
    await dropDamaged(this.#storage, model.files);
    await model.measure(this.#storage);
    // Others may have the same files.
    await this.#refresh();
    this.#told();
  }

  async #stored(use: InUse, model: Model, { key, entry }: StoredFile): Promise<Blob> {
    for (let tries = 0; tries < 2; tries += 1) {
      while (model.run && !model.run.ready.has(entry.file)) await model.run.done.catch(() => {});
      await model.run?.ready.get(entry.file)?.promise;
      await use.hold(key);
      if ((await this.#storage.look(key, entry)).record.whole) {
        return (await this.#storage.blob(key)).slice(0, entry.size);
      }
      await use.release([key]);
      if (model.kind !== BUILT_IN) break;
      this.#fetcher.start(model, [{ key, entry }]);
    }
    throw new StoreError("incomplete", { code: "deleted" });
  }

  /** Reads the list anew, as another tab may have changed it. */
  async #refresh(): Promise<void> {
    const models = await this.#library.read();
    for (const [id, model] of this.#models) {
      if (!model.local && !model.busy && id !== BUILT_IN && !models.some((found) => found.id === id)) {
        this.#models.delete(id);
      }
    }
    for (const model of models) {
      const known = this.#models.get(model.id);
      if (known?.busy) continue;
      const same = known && (model.id === BUILT_IN || known.revision === model.revision);
      const current = same ? known : model;
      if (known?.newer?.revision !== model.newer?.revision) current.newer = model.newer;
      await current.measure(this.#storage);
      this.#models.set(model.id, current);
    }
    this.#changed();
  }

  #told(): void {
    this.#changed();
    this.#tabs.postMessage(null);
  }

  #model(id: string): Model {
    const model = this.#models.get(id);
    if (!model) throw gone();
    return model;
  }

  /** The engines that have a model open. */
  #uses(id: string): InUse[] {
    return [...this.#inUse.values()].filter((use) => use.id === id);
  }

  /** The model behind a port. */
  #used({ id, model }: InUse): Model | undefined {
    return id === BUILT_IN ? this.#models.get(id) : model;
  }
}

function gone(): StoreError {
  return new StoreError("missing", { code: "modelGone" });
}
