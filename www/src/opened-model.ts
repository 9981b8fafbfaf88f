/** The model that pictures are made with, as it is opened, changed and closed. */

import { Imagen } from "../lib/imagen.ts";
import { ImagenError } from "../lib/imagen-error.ts";
import type { DeviceChoice, DeviceInfo, EngineOptions, ModelCard } from "../lib/protocol.ts";
import type { Told } from "../lib/why.ts";

export interface OpenedModelEvents {
  opening(): void;
  opened(card: ModelCard, device: DeviceInfo): void;
  failed(error: Told): void;
}

export class OpenedModel {
  readonly #events: OpenedModelEvents;
  #options: EngineOptions;
  #imagen: Imagen | undefined;
  /** The load that is under way, or the last one. */
  #loading: { abort: AbortController; done: Promise<Imagen | undefined> } | undefined;
  id = "";
  card: ModelCard | undefined;
  device: DeviceInfo | undefined;

  constructor(device: DeviceChoice, events: OpenedModelEvents) {
    this.#options = { device };
    this.#events = events;
  }

  /** Nothing while it is being opened. */
  get imagen(): Imagen | undefined {
    return this.#imagen;
  }

  /** Opens a model of the store, in place of the one before. */
  open(id: string): void {
    this.id = id;
    this.#load();
  }

  /** Opens the model again with other options; one that is opened later has them too. */
  configure(change: Partial<EngineOptions>): void {
    this.#options = { ...this.#options, ...change };
    if (this.id) this.#load();
  }

  /** The model as soon as it is open; one that failed to open is tried again. */
  async ready(): Promise<Imagen | undefined> {
    if (this.#imagen || !this.id) return this.#imagen;
    const opened = await this.#loading?.done;
    return opened ?? this.#load(true);
  }

  /** `again`: somebody waits for it already, and nothing changes for them. */
  #load(again = false): Promise<Imagen | undefined> {
    this.#loading?.abort.abort();
    this.#imagen?.close();
    this.#imagen = undefined;
    const abort = new AbortController();
    const done = this.#opened(abort.signal);
    this.#loading = { abort, done };
    if (!again) this.#events.opening();
    return done;
  }

  async #opened(signal: AbortSignal): Promise<Imagen | undefined> {
    try {
      const imagen = await Imagen.load({ model: { id: this.id }, ...this.#options, signal });
      if (signal.aborted) {
        imagen.close();
        return undefined;
      }
      this.#imagen = imagen;
      [this.card, this.device] = [imagen.model, imagen.device];
      this.#events.opened(imagen.model, imagen.device);
      return imagen;
    } catch (error) {
      if (!signal.aborted) this.#events.failed(ImagenError.from(error));
      return undefined;
    }
  }
}
