/** The models that this browser has, which of them is in use, and what is being asked about them. */

import { ImagenError } from "../../lib/imagen-error.ts";
import type { StoreClient } from "../../lib/models/store-client.ts";
import { BUILT_IN, type ModelView } from "../../lib/models/store-protocol.ts";
import { shared } from "../../lib/shared.ts";
import type { Told } from "../../lib/why.ts";
import { t } from "../i18n/index.ts";
import { asTold, own, type Words } from "../words.ts";
import { expected, remember } from "./built-in.ts";
import type { Folders, KnownFolder } from "./folders.ts";
import type { PickedFolder } from "./local-folder.ts";
import { Speed } from "./speed.ts";

export interface ModelsEvents {
  /** The user wants pictures from this model. */
  open(model: ModelView | undefined, id: string): void;
  /** A model that was asked for is fetched. */
  waiting(words: () => string): void;
  /** The user has to say whether to go to an address. */
  asking(): void;
  /** A model that was asked for cannot be had. */
  failed(error: Told | (() => string)): void;
  changed(): void;
}

export class Models {
  readonly #events: ModelsEvents;
  #folders: Promise<Folders> | undefined;
  readonly #speeds = new Map<string, Speed>();
  /** The model that ships, until the store knows it. */
  #expected = expected();
  #stored: readonly ModelView[] = [];
  /** Folders of an earlier visit, which the browser lets open again when it is asked. */
  folders: readonly KnownFolder[] = [];
  lasting = true;
  /** The model that pictures are made with, or will be as soon as the page has started. */
  opened: string;
  trouble: Words | undefined;
  /** An address that the page was opened with, until the user says whether to go there. */
  asked: URL | undefined;
  /** Being checked, by id. */
  readonly checking = new Set<string>();
  /** A model that is opened as soon as it is whole. */
  #awaited = "";
  /** Why it is not, as it was told. */
  #told: string | undefined;
  /** The version that is open. */
  #revision: string | undefined;
  readonly #heard = Promise.withResolvers<void>();
  /** The store knows the model that ships, which the page shows before. */
  readonly #shipped = Promise.withResolvers<void>();
  /** An address that the page was opened with. */
  readonly #address: string | null;

  /** Nothing is fetched before `start`. `address`: of the model that the page was opened with, if not the one that ships. */
  constructor(address: string | null, events: ModelsEvents) {
    this.#address = address;
    this.opened = address ? "" : BUILT_IN;
    this.#events = events;
  }

  get list(): readonly ModelView[] {
    const shipped = this.#stored.some(({ id }) => id === BUILT_IN);
    return shipped ? this.#stored : [...this.#expected, ...this.#stored];
  }

  get current(): ModelView | undefined {
    return this.list.find(({ id }) => id === this.opened);
  }

  /** The model that is in use or waited for, while some of it is missing. */
  get missing(): ModelView | undefined {
    const model = this.list.find(({ id }) => id === this.#awaited) ?? this.current;
    return model && model.state !== "whole" ? model : undefined;
  }

  /** A newer version of the open model is here. */
  get outdated(): boolean {
    const { current } = this;
    return current?.kind === "url" && current.revision !== this.#revision;
  }

  speed(id: string): Speed {
    let speed = this.#speeds.get(id);
    if (!speed) {
      speed = new Speed();
      this.#speeds.set(id, speed);
    }
    return speed;
  }

  /** Opens the model that ships; another one by address when the user agrees, unless it is here already. */
  async start(): Promise<void> {
    shared().watch((list, lasting) => this.#show(list, lasting));
    this.#store.stopped.then((error) => this.#events.failed(error));
    void this.#keptFolders()
      .then((folders) => folders.list())
      .then((folders) => this.#showFolders(folders))
      .catch(() => {});
    const address = this.#address;
    if (!address) return this.open(BUILT_IN);
    const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `https://${address}`;
    const url = URL.canParse(absolute) ? new URL(absolute) : undefined;
    if (!url) return this.#events.failed(() => t.addressWrong(address));
    await this.#heard.promise;
    if (this.list.some(({ kind, origin }) => kind === "url" && sameModel(origin, url))) return this.#go(url);
    this.asked = url;
    this.#events.asking();
  }

  /** The user agrees to the address that the page was opened with. */
  accept(): void {
    const { asked } = this;
    this.asked = undefined;
    if (asked) this.#go(asked);
    this.#events.changed();
  }

  decline(): void {
    this.asked = undefined;
    this.open(BUILT_IN);
  }

  open(id: string): void {
    this.#awaited = "";
    this.opened = id;
    this.#revision = this.current?.revision;
    this.#events.open(this.current, id);
    this.#events.changed();
  }

  add(address: string): Promise<boolean> {
    return this.#try(this.#store.add(address, "newest"));
  }

  resume(id: string): Promise<boolean> {
    return this.#try(this.#listed(id, "downloading").then(() => this.#store.resume(id)));
  }

  pause(id: string): Promise<boolean> {
    return this.#try(this.#listed(id, "partial").then(() => this.#store.pause(id)));
  }

  remove(id: string): Promise<boolean> {
    return this.#try(this.#store.remove(id));
  }

  /** Reads all that is stored of a model and forgets what is damaged. */
  async verify(id: string): Promise<void> {
    this.checking.add(id);
    this.#events.changed();
    await this.#try(this.#listed(id).then(() => this.#store.verify(id)));
    this.checking.delete(id);
    this.#events.changed();
  }

  /** Opens a folder of this computer, and remembers it where the browser gives a handle. */
  folder(picked: Promise<PickedFolder | undefined>): Promise<boolean> {
    const opened = picked.then(async (folder) => {
      if (!folder) return;
      this.#await(await this.#store.folder(folder.name, folder.files));
      if (folder.handle) this.#showFolders(await (await this.#keptFolders()).remember(folder.handle));
    });
    return this.#try(opened);
  }

  reopen(folder: KnownFolder): Promise<boolean> {
    return this.folder(this.#keptFolders().then((folders) => folders.open(folder)));
  }

  async forget(folder: KnownFolder): Promise<void> {
    this.#showFolders(await (await this.#keptFolders()).forget(folder));
  }

  get #store(): StoreClient {
    return shared().store;
  }

  /** Fetched with the library that it brings when the page has started; without it, none were kept. */
  #keptFolders(): Promise<Folders> {
    this.#folders ??= import("../kept.ts").then(({ Folders }) => new Folders());
    return this.#folders;
  }

  #showFolders(folders: readonly KnownFolder[]): void {
    this.folders = folders;
    this.#events.changed();
  }

  /** Who clicks before the store knows the model that ships sees that it was heard, and gets it as soon as the store does. */
  async #listed(id: string, state?: ModelView["state"]): Promise<void> {
    if (id !== BUILT_IN) return;
    if (state) {
      this.#expected = this.#expected.map((model) => ({ ...model, state }));
      this.#events.changed();
    }
    await this.#shipped.promise;
  }

  #go(url: URL): void {
    this.#events.waiting(() => t.fetchingModel);
    // What was downloaded is opened at once, and a newer version is only offered.
    this.#store.add(url.href, "missing").then(
      (id) => this.#await(id),
      (error: unknown) => this.#events.failed(ImagenError.from(error)),
    );
  }

  #await(id: string): void {
    this.#awaited = id;
    this.#told = undefined;
    this.#openAwaited();
  }

  #openAwaited(): void {
    const model = this.list.find(({ id }) => id === this.#awaited);
    if (model?.state === "whole") {
      this.open(model.id);
    } else if (model && model.error?.message !== this.#told) {
      // It stays waited for: a download that is resumed leads to it.
      this.#told = model.error?.message;
      if (model.error) this.#events.failed(model.error);
    }
  }

  #show(list: readonly ModelView[], lasting: boolean): void {
    this.#stored = list;
    this.lasting = lasting;
    const now = performance.now();
    for (const { id, newer, ...whole } of list) {
      const { state, held } = newer ?? whole;
      if (state === "downloading") this.speed(id).mark(held, now);
      else this.speed(id).reset();
    }
    this.#heard.resolve();
    const shipped = list.find(({ id }) => id === BUILT_IN);
    if (shipped) {
      remember(shipped);
      this.#shipped.resolve();
    }
    this.#openAwaited();
    this.#events.changed();
  }

  /** Shows what became of an action, and whether it went well. */
  async #try(action: Promise<unknown>): Promise<boolean> {
    try {
      await action;
      this.trouble = undefined;
      return true;
    } catch (error) {
      const told = ImagenError.from(error);
      this.trouble = told.message ? asTold(told) : own(() => t.somethingWrong);
      return false;
    } finally {
      this.#events.changed();
    }
  }
}

/** Whether a stored model's address is what an address leads to: its manifest, or the folder of it. */
function sameModel(origin: string, url: URL): boolean {
  const plain = (address: string) => address.replace(/#.*$/, "").replace(/\/?(imagen\.json)?$/, "");
  return plain(origin) === plain(url.href);
}
