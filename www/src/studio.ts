/** Where pictures are made: one after another, each with what is known of it, and what is being said meanwhile. */

import type { GenerateEvent } from "../lib/api.ts";
import type { Imagen } from "../lib/imagen.ts";
import { ImagenError } from "../lib/imagen-error.ts";
import { duration } from "../lib/rate.ts";
import type { Told } from "../lib/why.ts";
import { Frame } from "./frame.ts";
import type { Gallery } from "./gallery/gallery.ts";
import { t } from "./i18n/index.ts";
import type { OpenedModel } from "./opened-model.ts";
import type { Redraw } from "./redraw.ts";
import { Report } from "./report.ts";
import type { Form, Settings } from "./settings.ts";
import { Shot } from "./shot.ts";
import { plannedStages, type Timing } from "./timing.ts";
import { Track } from "./track.ts";
import { warmUp } from "./warm-up.ts";
import { own, told } from "./words.ts";

/** Pictures that are to be made: from noise, or from a picture of the stage before `startAt`. */
interface Job {
  shots: Shot[];
  startAt?: number;
  picture?: Blob;
}

export class Studio {
  readonly #model: OpenedModel;
  readonly #form: Form;
  readonly #gallery: Gallery;
  readonly #redraw: Redraw;
  readonly #profiling: boolean;
  readonly report: Report;
  readonly frame: Frame;
  /** The address of the model in use, unless it came with the page. */
  address: string | undefined;
  timing: Timing | undefined;
  /** Ends what runs. */
  #running: AbortController | undefined;
  #warming: AbortController | undefined;
  /** What runs or ran last. */
  #job: Job | undefined;
  /** What goes on when the download does. */
  #paused: Job | undefined;

  constructor(model: OpenedModel, form: Form, gallery: Gallery, profiling: boolean, redraw: Redraw) {
    this.#model = model;
    this.#form = form;
    this.#gallery = gallery;
    this.#profiling = profiling;
    this.#redraw = redraw;
    this.report = new Report(redraw.request);
    this.frame = new Frame(gallery, redraw.request);
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  get cancelling(): boolean {
    return this.#running?.signal.aborted ?? false;
  }

  /** An end that is nobody's wish; a function gives words of the page's own. */
  fail(error: Told | (() => string)): void {
    this.#leave();
    this.report.fail(typeof error === "function" ? own(error) : told(error));
  }

  /** Whatever runs ends without a word: another model is opened. */
  leave(): void {
    if (this.running) this.report.track = undefined;
    this.#leave();
    this.report.error = undefined;
    this.#paused = undefined;
  }

  /** Makes what the form asks for: one picture, or the first stage of several. */
  async start(): Promise<void> {
    if (this.running) return;
    const problem = this.#form.read();
    if (typeof problem === "function") return this.fail(problem);
    const abort = this.#begin();
    if (!(await this.#model.ready()) || abort.signal.aborted) return this.#abandoned(abort);
    const settings = this.#form.read();
    if (typeof settings === "function") return this.fail(settings);
    const { count } = this.#form;
    const stopAt = this.#form.lastStage;
    const shots = Array.from({ length: count }, (_, i) => this.#shot({ ...settings, seed: settings.seed + i, stopAt }));
    this.#form.spend();
    this.frame.begin(shots);
    await this.#run({ shots }, abort);
  }

  /** Prepares a GPU for the first picture, until one is asked for. */
  async warm(): Promise<void> {
    if (this.running || this.#warming || this.#model.device?.kind !== "gpu") return;
    const imagen = await this.#model.ready();
    if (!imagen || this.running) return;
    this.#warming = new AbortController();
    const { signal } = this.#warming;
    const say = (text: () => string) => {
      if (!signal.aborted) this.report.set("idle", text);
    };
    const warm = await warmUp(imagen, signal, (done, total) => say(() => t.warming(done, total)));
    say(() => (warm ? t.warm : ""));
    this.#warming = undefined;
  }

  /** More stages of a picture, up to the one of that size. */
  enlarge(shot: Shot, stopAt: number): Promise<void> {
    // What another model made stays what it is.
    return this.#continue(shot, shot.size, stopAt, shot.model !== this.#modelName);
  }

  /** Other later stages from the same finished stage of a picture, as a picture of their own. */
  redo(shot: Shot, from: number): Promise<void> {
    const next = this.#sizes.find((size) => size > from) ?? from;
    return this.#continue(shot, from, Math.max(next, this.#form.stopAt), true);
  }

  cancel(): void {
    if (!this.#running || this.cancelling) return;
    this.#running.abort();
    this.report.set(this.report.state, () => t.cancelling);
  }

  /** Stops for as long as the download does. */
  pause(job = this.#job): void {
    this.cancel();
    this.#paused = job;
  }

  /** Goes on with what a paused download ended; false where there is nothing. */
  resume(): boolean {
    const job = this.#paused;
    if (!job || this.running) return false;
    const shots = job.shots.filter(({ state }) => state !== "done");
    void this.#run({ ...job, shots }, this.#begin());
    return true;
  }

  get #modelName(): string {
    const { card } = this.#model;
    return card ? `${card.name} ${card.version}` : "";
  }

  get #sizes(): number[] {
    return this.#model.card?.stages.map(({ imageSize }) => imageSize) ?? [];
  }

  async #continue(shot: Shot, from: number, stopAt: number, apart: boolean): Promise<void> {
    const startAt = this.#sizes.find((size) => size > from);
    const picture = shot.files.get(from);
    if (this.running || startAt === undefined || !picture) return;
    const stages = this.#form.readStages();
    if (typeof stages === "function") return this.fail(stages);
    const later = Object.entries(stages).filter(([size]) => Number(size) > from);
    const settings = { ...shot.settings, stopAt, stages: { ...shot.settings.stages, ...Object.fromEntries(later) } };
    const target = apart ? this.#shot(settings) : shot;
    target.settings = settings;
    target.files = new Map([...shot.files].filter(([size]) => size <= from));
    const abort = this.#begin();
    try {
      await target.restore();
    } catch (error) {
      if (this.#running === abort) this.fail(ImagenError.from(error));
      return;
    }
    if (apart) this.frame.begin([target]);
    else await this.frame.view(target);
    await this.#run({ shots: [target], startAt, picture }, abort);
  }

  #shot(settings: Settings): Shot {
    return new Shot({ model: this.#modelName, address: this.address, settings });
  }

  #begin(): AbortController {
    this.#warming?.abort();
    const abort = new AbortController();
    this.#running = abort;
    this.#paused = undefined;
    this.report.begin();
    this.#redraw.now();
    return abort;
  }

  #leave(): void {
    this.#warming?.abort();
    this.#running?.abort();
    this.#running = undefined;
  }

  /** A run that ended before it began: cancelled, or told by whoever opens models. */
  #abandoned(abort: AbortController): void {
    if (this.#running !== abort) return;
    this.#running = undefined;
    if (abort.signal.aborted) this.report.set("idle", () => t.cancelled);
    else if (this.report.state !== "error") this.fail(() => t.noModel);
    this.#redraw.request();
  }

  async #run(job: Job, abort: AbortController): Promise<void> {
    const imagen = await this.#model.ready();
    if (!imagen || abort.signal.aborted) return this.#abandoned(abort);
    this.#job = job;
    const begun = performance.now();
    let failure: ImagenError | undefined;
    try {
      for (const shot of job.shots) await this.#draw(imagen, shot, job, abort);
    } catch (error) {
      failure = ImagenError.from(error);
    }
    const took = duration(performance.now() - begun);
    await Promise.all(job.shots.filter(({ state }) => state !== "done").map(stop));
    // Another model may have been opened meanwhile.
    if (this.#running !== abort) return this.#redraw.request();
    this.#running = undefined;
    if (!failure) this.report.set("done", () => t.doneIn(took));
    else if (failure.kind !== "cancelled") this.fail(failure);
    else this.report.set("idle", () => (this.#paused ? t.paused : t.cancelled));
  }

  async #draw(imagen: Imagen, shot: Shot, { shots, startAt, picture }: Job, abort: AbortController): Promise<void> {
    const { settings } = shot;
    const { prompt, negativePrompt, seed, stopAt, stages } = settings;
    shot.state = "running";
    const sizes = this.#sizes.filter((size) => size <= stopAt && size >= (startAt ?? 0));
    const wanted = Object.fromEntries(Object.entries(stages).filter(([size]) => sizes.includes(Number(size))));
    this.report.track = new Track(imagen.model);
    this.report.track.begin(imagen.model, startAt ?? 0, stopAt);
    const which = shots.length > 1 ? () => t.variationOf(shots.indexOf(shot) + 1, shots.length) : undefined;
    const events = imagen.generate({
      prompt,
      negativePrompt,
      seed,
      stages: wanted,
      stopAt,
      ...(startAt !== undefined && picture ? { startAt, picture } : {}),
      profile: this.#profiling,
      signal: abort.signal,
    });
    for await (const event of events) {
      // What was told before another model was opened is of no use any more.
      if (this.#running !== abort) throw ImagenError.cancelled();
      this.#heard(event, shot, which);
    }
    shot.state = "done";
  }

  #heard(event: GenerateEvent, shot: Shot, which: (() => string) | undefined): void {
    if (event.type === "preview") shot.show(event.bitmap, false);
    if (event.type === "picture") {
      shot.show(event.bitmap, true);
      this.#finished(shot, event.size, event.png);
    }
    this.report.heard(event, which);
  }

  #finished(shot: Shot, size: number, png: Blob): void {
    shot.files.set(size, png);
    const took = this.report.track?.finish(size) ?? 0;
    const planned = plannedStages(shot.settings).find((stage) => stage.size === size);
    if (planned) this.timing?.stage(planned, took);
    const { id, created, settings, model, address } = shot;
    void this.#gallery.keep({ id, created, settings, model, ...(address ? { address } : {}) }, new Map(shot.files));
  }
}

/** A picture whose run ended early shows its last finished stage again, as far as that can be read. */
async function stop(shot: Shot): Promise<void> {
  shot.state = "stopped";
  await shot.restore().catch(() => {});
}
