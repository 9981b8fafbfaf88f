/** burn's wgpu backend in WASM, built from `benches/browser/burn`. */

import { bytes, type Case, type Engine, type Runner } from "./engine.ts";
import { OUTPUT, type Values } from "./values.ts";

interface Package {
  default(): Promise<unknown>;
  BurnPeer: { open(): Promise<BurnPeer> };
}

interface BurnPeer {
  load(row: string, weights: Uint8Array): Promise<BurnCase>;
}

interface BurnCase {
  input(name: string, shape: Uint32Array, values: Float32Array): void;
  run(): Promise<void>;
  output(): Promise<Float32Array>;
}

/** A run is warm when it takes this much longer than the fastest one before it, or less. */
const STEADY = 1.15;
const MOST_WARM_UPS = 30;

export class Burn implements Engine {
  /** It may tune for so many milliseconds; a row for which that is too short goes without it. */
  constructor(private readonly tuning: number) {}

  /** Its quantised matrices are another format: only plain ones are compared. */
  takes({ row }: Case): boolean {
    return (row.format ?? "f32") === "f32";
  }

  async load(given: Case, folder: string, values: Values): Promise<Runner> {
    const burn = await (await open(given)).load(JSON.stringify(given.row), await bytes(`${folder}/weights.gguf`));
    for (const [name, { shape, data }] of values) {
      if (name !== OUTPUT) burn.input(name, Uint32Array.from(shape), data);
    }
    const runs = await before(this.tuning, warm(burn));
    return {
      note: `warmed by ${runs} runs${given.row.group === "unet" ? ", without fusion" : ""}`,
      run: () => burn.run(),
      output: () => burn.output(),
    };
  }
}

/** Runs until three runs in a row are steady: autotuning happens within the first ones, partly in the background. */
async function warm(burn: BurnCase): Promise<number> {
  let [fastest, steady, runs] = [Number.POSITIVE_INFINITY, 0, 0];
  while (steady < 3 && runs < MOST_WARM_UPS) {
    const start = performance.now();
    await burn.run();
    const taken = performance.now() - start;
    steady = taken <= STEADY * fastest && taken * STEADY >= fastest ? steady + 1 : 0;
    fastest = Math.min(fastest, taken);
    runs++;
    // Tuning goes on in tasks of its own.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return runs;
}

/** What `work` comes to, if it does so in time. Nothing but closing the page stops burn's tuning. */
async function before<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer = 0;
  const late = new Promise<never>((_, reject) => {
    const minutes = (ms / 60_000).toPrecision(2);
    timer = self.setTimeout(() => reject(new Error(`still tuning after ${minutes} minutes`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** With burn's fusion, or without where it computes NaN: in the U-Nets. */
async function open({ row }: Case): Promise<BurnPeer> {
  const folder = row.group === "unet" ? "burn-unfused" : "burn";
  const url = new URL(`/${folder}/imagen_bench_burn.js`, location.href).href;
  const wasm = (await import(/* @vite-ignore */ url)) as Package;
  await wasm.default();
  return wasm.BurnPeer.open();
}
