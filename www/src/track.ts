/** How far a run is: what comes before the first step, and each stage with its steps, its rate and the time left. */

import type { ModelCard } from "../lib/protocol.ts";
import { duration } from "../lib/rate.ts";
import { t } from "./i18n/index.ts";

export type LegState = "waiting" | "active" | "done" | "skipped";

/** A part of the way. */
export interface Leg {
  /** Picture size; 0 for reading the prompt. */
  size: number;
  state: LegState;
  done: number;
  total: number;
  figures: () => string;
}

export class Track {
  legs: Leg[] = [];
  #started = 0;
  #last = 0;

  constructor(card: ModelCard) {
    this.#fill(card, () => "waiting");
  }

  /** A run of the stages from `startAt` to `stopAt`; the ones before are there. */
  begin(card: ModelCard, startAt: number, stopAt: number): void {
    this.#fill(card, (size) => (size > 0 && (size < startAt || size > stopAt) ? "skipped" : "waiting"));
  }

  #fill(card: ModelCard, state: (size: number) => LegState): void {
    const sizes = [0, ...card.stages.map(({ imageSize }) => imageSize)];
    this.legs = sizes.map((size) => ({ size, state: state(size), done: 0, total: 1, figures: () => "" }));
  }

  /** Something that comes before steps, in the leg that is next. */
  prepare(figures: () => string): void {
    const leg = this.legs.find(({ state }) => state === "active") ?? this.legs.find(({ state }) => state === "waiting");
    if (!leg) return;
    leg.state = "active";
    leg.figures = figures;
  }

  stage(size: number, steps: number, now: number): void {
    for (const leg of this.legs) {
      if (leg.state === "active" && leg.size < size) this.#end(leg, () => "");
    }
    const leg = this.#leg(size);
    if (!leg) return;
    [this.#started, this.#last] = [now, now];
    Object.assign(leg, { state: "active", done: 0, total: steps, figures: () => t.stepOf(1, steps) });
  }

  step(size: number, step: number, steps: number, now: number): void {
    const leg = this.#leg(size);
    if (!leg) return;
    this.#last = now;
    [leg.done, leg.total] = [step, steps];
    const perStep = (now - this.#started) / Math.max(step, 1);
    leg.figures = () => {
      const left = step < steps ? t.timeLeft(duration(perStep * (steps - step))) : "";
      return [t.stepOf(step, steps), rate(perStep), left].filter(Boolean).join(" · ");
    };
  }

  /** @returns milliseconds that the stage took */
  finish(size: number): number {
    const leg = this.#leg(size);
    const took = this.#last - this.#started;
    if (leg) {
      const perStep = took / Math.max(leg.total, 1);
      this.#end(leg, () => [duration(took), rate(perStep)].join(" · "));
    }
    return took;
  }

  /** The share of the steps that are done, 0 to 1. */
  get share(): number {
    const ran = this.legs.filter(({ state }) => state !== "skipped");
    return ran.reduce((sum, { done, total }) => sum + done / total, 0) / Math.max(ran.length, 1);
  }

  #leg(size: number): Leg | undefined {
    return this.legs.find((leg) => leg.size === size);
  }

  #end(leg: Leg, figures: () => string): void {
    Object.assign(leg, { state: "done", done: leg.total, figures });
  }
}

function rate(perStep: number): string {
  const seconds = Math.max(perStep, 1) / 1000;
  return seconds < 1 ? t.stepsPerSecond((1 / seconds).toFixed(1)) : t.secondsPerStep(seconds.toFixed(1));
}
