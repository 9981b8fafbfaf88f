/** The model that ships: its manifest from the page's host, or without a connection the one that was stored. */

import { fetchManifest, Transient } from "./http.ts";
import type { Library } from "./library.ts";
import { Model } from "./model.ts";
import type { Storage } from "./storage.ts";
import { BUILT_IN } from "./store-protocol.ts";

export class BuiltIn {
  readonly #address: URL;
  readonly #storage: Storage;
  readonly #library: Library;
  readonly #models: Map<string, Model>;
  readonly #changed: () => void;
  #opening: Promise<Model> | undefined;

  /** It is put into `models`, which has it already where it was stored. */
  constructor(address: URL, storage: Storage, library: Library, models: Map<string, Model>, changed: () => void) {
    this.#address = address;
    this.#storage = storage;
    this.#library = library;
    this.#models = models;
    this.#changed = changed;
  }

  open(): Promise<Model> {
    this.#opening ??= this.#open();
    // The next one to ask tries again.
    this.#opening.catch(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<Model> {
    const stored = this.#models.get(BUILT_IN);
    let manifest: Uint8Array<ArrayBuffer>;
    try {
      manifest = await fetchManifest(this.#address);
    } catch (error) {
      if (error instanceof Transient && stored?.whole) return stored;
      throw error;
    }
    const model = await Model.read(BUILT_IN, BUILT_IN, this.#address.href, manifest);
    const same = stored?.revision === model.revision;
    if (!same) await this.#library.add(model);
    await model.measure(this.#storage);
    this.#models.set(BUILT_IN, model);
    if (stored && !same) await this.#library.sweep();
    this.#changed();
    return model;
  }
}
