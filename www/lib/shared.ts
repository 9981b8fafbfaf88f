/** What all users of a page have in common: the compiled WASM, and the store of models. Nothing is fetched before it is needed. */

import { StoreClient } from "./models/store-client.ts";
import type { ModelView } from "./models/store-protocol.ts";

/** Called with the list of models whenever it changes; `lasting` tells whether they are there on the next visit. */
export type ModelsListener = (models: readonly ModelView[], lasting: boolean) => void;

/** Where the model that ships with a page lies, relative to the page. */
const BUILT_IN = "models/storybook/imagen.json";

class Shared {
  readonly store: StoreClient;
  readonly #listeners = new Set<ModelsListener>();
  #list: Parameters<ModelsListener> | undefined;

  constructor() {
    const builtIn = new URL(BUILT_IN, document.baseURI).href;
    this.store = new StoreClient(builtIn, (...list) => {
      this.#list = list;
      for (const listener of this.#listeners) listener(...list);
    });
  }

  get wasm(): Promise<WebAssembly.Module> {
    return this.store.wasm;
  }

  /** Tells the list now and from now on, until the returned function is called. */
  watch(listener: ModelsListener): () => void {
    this.#listeners.add(listener);
    if (this.#list) listener(...this.#list);
    return () => this.#listeners.delete(listener);
  }
}

let page: Shared | undefined;

/** Begins to fetch the WASM when it is first called. */
export function shared(): Shared {
  page ??= new Shared();
  return page;
}
