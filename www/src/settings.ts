/** What pictures are asked for with, and what is in the form before it is checked. */

import type { PictureSettings, StageOptions } from "../lib/api.ts";
import type { ModelCard, StageCard, Thresholding } from "../lib/protocol.ts";
import { t } from "./i18n/index.ts";

/** The largest guidance scale that Rust takes. */
export const MAX_GUIDANCE = 100;
/** Pictures of one grid at most. */
export const MAX_COUNT = 16;

export const SAMPLERS = ["ddim", "ddpm", "dpm++2m"] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** A stage's settings as they are typed. A sampler with its own number (`ddim:0.5`) is kept whole. */
export interface StageForm {
  steps: string;
  guidance: string;
  sampler: string;
  thresholding: Thresholding["kind"];
  max: string;
  quantile: string;
}

/** Settings in order; enough to make the same pictures again. */
export interface Settings {
  prompt: string;
  negativePrompt: string;
  seed: number;
  /** Picture size of the last stage. */
  stopAt: number;
  /** By picture size. */
  stages: Record<number, StageOptions>;
}

/** Settings as a link or a file tells them: anything may be missing. */
export type PartialSettings = Partial<Omit<Settings, "stages">> & { stages?: Record<number, StageOptions> };

/** What is wrong with a setting, in the language that is in use when it is asked. */
export type Wrong = () => string;

/** What is in the form. */
export class Form {
  prompt = "";
  negative = "";
  seed = String(randomSeed());
  /** The seed stays for the next picture too. */
  locked = false;
  count = 1;
  stopAt = 0;
  readonly stages = new Map<number, StageForm>();
  /** The seed has made a picture already. */
  #spent = false;
  /** What was said of stages before there was a model that has them. */
  #awaited: PartialSettings = {};
  card: ModelCard | undefined;

  /** The settings of another model; what was written stays. */
  setModel(card: ModelCard): void {
    this.card = card;
    this.#applyStages(this.#awaited);
    this.#awaited = {};
  }

  /** Every stage as the model has it. */
  reset(): void {
    this.stages.clear();
    for (const stage of this.card?.stages ?? []) this.stages.set(stage.imageSize, formOf(stage, {}));
    this.stopAt = this.card?.stages.at(-1)?.imageSize ?? 0;
  }

  roll(): void {
    this.seed = String(randomSeed());
    this.#spent = false;
  }

  /** Typed by hand: it is meant. */
  setSeed(text: string): void {
    this.seed = text;
    this.locked = text !== "";
    this.#spent = false;
  }

  /** Takes settings over; what they leave out becomes the model's own. */
  apply(settings: PartialSettings): void {
    this.prompt = settings.prompt ?? this.prompt;
    this.negative = settings.negativePrompt ?? "";
    if (settings.seed !== undefined) this.setSeed(String(settings.seed));
    if (this.card) this.#applyStages(settings);
    else this.#awaited = settings;
  }

  #applyStages({ stages, stopAt }: PartialSettings): void {
    this.reset();
    for (const stage of this.card?.stages ?? []) {
      this.stages.set(stage.imageSize, formOf(stage, stages?.[stage.imageSize] ?? {}));
    }
    if (stopAt !== undefined && this.stages.has(stopAt)) this.stopAt = stopAt;
  }

  /** The settings, or what is wrong with them. A seed that was used makes way for another one unless it is locked. */
  read(): Settings | Wrong {
    const prompt = this.prompt.trim();
    if (prompt === "") return () => t.promptMissing;
    if (this.#spent && !this.locked) this.roll();
    const seed = this.seed.trim() === "" ? Number.NaN : Number(this.seed);
    if (!Number.isSafeInteger(seed) || seed < 0) return () => t.seedWrong;
    const stages = this.readStages();
    if (typeof stages === "function") return stages;
    return { prompt, negativePrompt: this.negative.trim(), seed, stopAt: this.stopAt, stages };
  }

  /** The settings of the stages up to the last that is to run. */
  readStages(): Record<number, StageOptions> | Wrong {
    const stages: Record<number, StageOptions> = {};
    for (const { imageSize: size, maxSteps } of this.card?.stages ?? []) {
      const form = this.stages.get(size);
      if (!form || size > this.stopAt) continue;
      const { sampler, thresholding: kind } = form;
      const name = `${size} × ${size}`;
      const steps = number(form.steps, 1, maxSteps, true);
      if (steps === undefined) return () => t.outOfRange(t.stepsFor(name), 1, maxSteps);
      const guidance = number(form.guidance, 0, MAX_GUIDANCE);
      if (guidance === undefined) return () => t.outOfRange(t.guidanceFor(name), 0, MAX_GUIDANCE);
      const max = kind === "none" ? 1 : number(form.max, 0.001, 1000);
      if (max === undefined) return () => t.outOfRange(t.limitFor(name), 0.001, 1000);
      const quantile = kind === "dynamic" ? number(form.quantile, 0, 1) : 1;
      if (quantile === undefined) return () => t.outOfRange(t.quantileFor(name), 0, 1);
      const thresholding: Thresholding =
        kind === "none" ? { kind } : kind === "static" ? { kind, max } : { kind, quantile, max };
      stages[size] = { steps, guidance, sampler: sampler as NonNullable<StageOptions["sampler"]>, thresholding };
    }
    return stages;
  }

  /** Picture size of the last stage that a run has: of several pictures only the first stage is drawn. */
  get lastStage(): number {
    return this.count > 1 ? (this.card?.stages[0]?.imageSize ?? this.stopAt) : this.stopAt;
  }

  /** The seed is used up, unless it is locked. */
  spend(): void {
    this.#spent = true;
  }
}

function formOf(stage: StageCard, wanted: StageOptions): StageForm {
  const thresholding = wanted.thresholding ?? stage.thresholding;
  return {
    steps: String(typeof wanted.steps === "number" ? wanted.steps : stage.steps),
    guidance: String(wanted.guidance ?? stage.guidance),
    sampler: wanted.sampler ?? stage.sampler,
    thresholding: thresholding.kind,
    max: String("max" in thresholding ? thresholding.max : 1.5),
    quantile: String("quantile" in thresholding ? thresholding.quantile : 0.995),
  };
}

/** What a file says of itself, as far as a form takes it. */
export function fromPicture(picture: PictureSettings): PartialSettings {
  const { prompt, negativePrompt, seed, stages, width } = picture;
  return { prompt, negativePrompt, stages, stopAt: width, ...(seed === undefined ? {} : { seed }) };
}

function number(text: string, least: number, most: number, whole = false): number | undefined {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : undefined;
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
