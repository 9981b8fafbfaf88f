/** What this machine took for a step before, by model, device and stage: from it, how long a run will take. */

import type { Settings } from "./settings.ts";

const KEY = "imagen-timing";
/** Share of the newest measurement in what is kept. */
const WEIGHT = 0.5;

/** A stage of a run that is planned. */
export interface PlannedStage {
  size: number;
  steps: number;
  guidance: number;
}

/** Whether anything was measured, on this visit or an earlier one. */
export function measured(): boolean {
  return Object.keys(read()).length > 0;
}

export class Timing {
  /** Milliseconds per step. */
  readonly #known: Record<string, number>;
  readonly #context: string;

  /** Of what was measured, only what belongs to this model on this device counts. */
  constructor(model: string, device: string) {
    this.#known = read();
    this.#context = `${model} on ${device}`;
  }

  stage({ size, steps, guidance }: PlannedStage, milliseconds: number): void {
    this.#keep(stageKey(size, guidance), milliseconds / Math.max(steps, 1));
  }

  /** Milliseconds for one picture; nothing while a stage was never measured. */
  estimate(stages: readonly PlannedStage[]): number | undefined {
    let sum = 0;
    for (const { size, steps, guidance } of stages) {
      const perStep = this.#known[`${this.#context}: ${stageKey(size, guidance)}`];
      if (perStep === undefined) return undefined;
      sum += perStep * steps;
    }
    return sum;
  }

  #keep(key: string, milliseconds: number): void {
    const name = `${this.#context}: ${key}`;
    const before = this.#known[name] ?? milliseconds;
    this.#known[name] = Math.round((before * (1 - WEIGHT) + milliseconds * WEIGHT) * 100) / 100;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#known));
    } catch {
      // A browser that keeps nothing estimates from this visit alone.
    }
  }
}

/** Guidance runs the network twice. */
function stageKey(size: number, guidance: number): string {
  return `${size}${guidance === 1 ? "" : " guided"}`;
}

function read(): Record<string, number> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof found !== "object" || found === null) return {};
    return Object.fromEntries(Object.entries(found).filter(([, value]) => typeof value === "number" && value >= 0));
  } catch {
    return {};
  }
}

/** The stages of a run from noise. */
export function plannedStages({ stages, stopAt }: Pick<Settings, "stages" | "stopAt">): PlannedStage[] {
  return Object.entries(stages)
    .map(([size, { steps, guidance }]) => ({ size: Number(size), steps: Number(steps), guidance: guidance ?? 1 }))
    .filter(({ size, steps }) => size <= stopAt && steps > 0);
}
