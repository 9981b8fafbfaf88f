/** What the engine has open: a model as it was when it was opened, and locks on its files. */

import { reading } from "./locks.ts";
import type { Model } from "./model.ts";
import { StoreError } from "./store-error.ts";

export class InUse {
  readonly id: string;
  /** Stays the same where a newer version takes its place in the list. Not there before the built-in one is read. */
  readonly model: Model | undefined;
  /** One per file, also where several requests wait for it: one that is lost would be held until the tab is closed. */
  readonly #locks = new Map<string, Promise<() => Promise<void>>>();
  #ended = false;

  constructor(id: string, model: Model | undefined) {
    this.id = id;
    this.model = model;
  }

  /** Keeps a file from being changed or deleted until it is released. */
  async hold(key: string): Promise<void> {
    if (this.#ended) throw new StoreError("stopped", { code: "otherModel" });
    const lock = this.#locks.get(key) ?? reading(key);
    this.#locks.set(key, lock);
    await lock;
  }

  /** Lets go of a file, or of all. */
  async release(keys = [...this.#locks.keys()]): Promise<void> {
    const locks = keys.map((key) => this.#locks.get(key));
    for (const key of keys) this.#locks.delete(key);
    await Promise.all(locks.map(async (lock) => (await lock)?.()));
  }

  /** The engine has let go of it: nothing is held any more. */
  end(): void {
    this.#ended = true;
    this.release().catch(() => {});
  }
}
