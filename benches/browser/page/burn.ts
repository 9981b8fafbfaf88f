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
  free(): void;
}

/** A run is warm when it takes this much longer than the fastest one before it, or less. */
const STEADY = 1.15;
const MOST_WARM_UPS = 30;
const WARM_UP_MS = 120_000;

export class Burn implements Engine {
  readonly name = "burn";
  private opened: Promise<BurnPeer> | undefined;

  /** Its quantised matrices are another format: only plain ones are compared. */
  takes({ row }: Case): boolean {
    return (row.format ?? "f32") === "f32";
  }

  async load(given: Case, folder: string, values: Values): Promise<Runner> {
    this.opened ??= open();
    const burn = await (await this.opened).load(JSON.stringify(given.row), await bytes(`${folder}/weights.gguf`));
    for (const [name, { shape, data }] of values) {
      if (name !== OUTPUT) burn.input(name, Uint32Array.from(shape), data);
    }
    const runs = await warm(burn);
    return {
      note: `warmed by ${runs} runs`,
      run: () => burn.run(),
      output: () => burn.output(),
      free: () => burn.free(),
    };
  }
}

/** Runs until three runs in a row are steady: autotuning happens within the first ones, partly in the background. */
async function warm(burn: BurnCase): Promise<number> {
  const start = performance.now();
  let [fastest, steady, runs] = [Number.POSITIVE_INFINITY, 0, 0];
  while (steady < 3 && runs < MOST_WARM_UPS && performance.now() - start < WARM_UP_MS) {
    const before = performance.now();
    await burn.run();
    const taken = performance.now() - before;
    steady = taken <= STEADY * fastest && taken * STEADY >= fastest ? steady + 1 : 0;
    fastest = Math.min(fastest, taken);
    runs++;
    // Tuning goes on in tasks of its own.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return runs;
}

async function open(): Promise<BurnPeer> {
  const url = new URL("/burn/imagen_bench_burn.js", location.href).href;
  const wasm = (await import(/* @vite-ignore */ url)) as Package;
  await wasm.default();
  return wasm.BurnPeer.open();
}
