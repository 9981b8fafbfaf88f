/** The page's section about models: connects its list, its form and its drop target to the store. */

import { StoreClient } from "../lib/models/store-client.ts";
import { BUILT_IN, type ModelView } from "../lib/models/store-protocol.ts";
import { canPickFolder, folderFromDrop, folderFromInput, type PickedFolder, pickFolder } from "./local-folder.ts";
import { ModelsPanel } from "./models-panel.ts";

export interface ModelsSectionEvents {
  /** The user wants pictures from this model. */
  open(id: string): void;
  /** Bytes of the model in use that have arrived. */
  download(done: number, total: number): void;
  /** The model that the page was opened with cannot be had. */
  failed(message: string): void;
}

export class ModelsSection {
  readonly #store: StoreClient;
  readonly #panel: ModelsPanel;
  readonly #events: ModelsSectionEvents;
  readonly #trouble: HTMLElement;
  readonly #space: HTMLElement;
  #models: ModelView[] = [];
  #opened = "";
  /** A model that is opened as soon as it is whole. */
  #awaited = "";

  constructor(section: HTMLElement, wasm: Promise<WebAssembly.Module>, events: ModelsSectionEvents) {
    const find = <T extends Element>(selector: string) => {
      const found = section.querySelector<T>(selector);
      if (!found) throw new Error(`index.html has no ${selector} among the models`);
      return found;
    };
    this.#events = events;
    this.#trouble = find("#model-trouble");
    this.#space = find("#model-space");
    this.#panel = new ModelsPanel(find("ul"), {
      open: (id) => this.#open(id),
      resume: (id) => this.#try(this.#store.resume(id)),
      pause: (id) => this.#try(this.#store.pause(id)),
      remove: (id) => this.#try(this.#store.remove(id)),
    });
    const builtIn = new URL("models/storybook/imagen.json", document.baseURI).href;
    this.#store = new StoreClient(wasm, builtIn, (models, lasting) => this.#show(models, lasting));

    const address = find<HTMLInputElement>("#model-address");
    find<HTMLFormElement>("form").onsubmit = (event) => {
      event.preventDefault();
      this.#try(
        this.#store.add(address.value).then(() => {
          address.value = "";
        }),
      );
    };
    const input = find<HTMLInputElement>("#model-files");
    input.onchange = () => {
      if (input.files?.length) this.#folder(Promise.resolve(folderFromInput(input.files)));
      input.value = "";
    };
    find<HTMLButtonElement>("#model-folder").onclick = () => {
      if (canPickFolder) this.#folder(pickFolder());
      else input.click();
    };
    section.ondragover = (event) => {
      event.preventDefault();
      section.dataset.over = "";
    };
    section.ondragleave = () => delete section.dataset.over;
    section.ondrop = (event) => {
      event.preventDefault();
      delete section.dataset.over;
      if (event.dataTransfer) this.#folder(folderFromDrop(event.dataTransfer));
    };
  }

  /** Opens the model at an address once it is there, or the one that ships. */
  start(address: string | null): void {
    if (!address) {
      this.#open(BUILT_IN);
      return;
    }
    this.#store.add(address).then(
      (id) => this.#await(id),
      (error: Error) => this.#events.failed(error.message),
    );
  }

  /** Access to a model's files, for the engine. */
  connect(id: string): MessagePort {
    return this.#store.connect(id);
  }

  #open(id: string): void {
    this.#awaited = "";
    this.#opened = id;
    this.#panel.show(this.#models, id);
    this.#events.open(id);
  }

  #await(id: string): void {
    this.#awaited = id;
    this.#openAwaited();
  }

  #openAwaited(): void {
    const model = this.#models.find(({ id }) => id === this.#awaited);
    if (model?.state === "whole") {
      this.#open(model.id);
    } else if (model?.error) {
      this.#awaited = "";
      this.#events.failed(model.error);
    }
  }

  #folder(picked: Promise<PickedFolder | undefined>): void {
    const opened = picked.then(async (folder) => {
      if (folder) this.#await(await this.#store.folder(folder.name, folder.files));
    });
    this.#try(opened);
  }

  #show(models: ModelView[], lasting: boolean): void {
    this.#models = models;
    this.#panel.show(models, this.#opened);
    this.#space.textContent = lasting
      ? ""
      : "This browser keeps no files for this page: models are gone when it is closed.";
    const current = models.find(({ id }) => id === this.#opened);
    if (current?.state === "downloading") this.#events.download(current.held, current.bytes);
    this.#openAwaited();
  }

  /** Shows what became of an action. */
  #try(action: Promise<unknown>): void {
    const say = (text: string) => {
      this.#trouble.textContent = text;
      this.#trouble.hidden = text === "";
    };
    action.then(
      () => say(""),
      (error: Error) => say(error.message),
    );
  }
}
