/** Measures one row of the table: all engines loaded, checked against PyTorch, then timed in turns. */

import { Burn } from "./burn.ts";
import type { Case, Engine, Runner } from "./engine.ts";
import { OnnxRuntime } from "./ort.ts";
import { cascade, Ours } from "./ours.ts";
import { distance, OUTPUT, readValues } from "./values.ts";

/** What the driver gets for one engine. */
export interface Measured {
  /** Milliseconds of each run. */
  ms: number[];
  /** Relative L2 distance from PyTorch's output. */
  error: number;
  note: string;
}

/** An engine that cannot run a row is a fact about it, not the end of the comparison. */
export type Outcome = Measured | { failed: string };

/** A measurement repeats what is fast until it has taken this long. */
const LEAST_MS = 150;
const MOST_REPEATS = 20;

const engines: Engine[] = [new Ours(), new Burn(), new OnnxRuntime()];

async function measure(name: string, names: string[], runs: number): Promise<Record<string, Outcome>> {
  const folder = `/data/${encodeURIComponent(name)}`;
  const given = (await (await fetch(`${folder}/case.json`)).json()) as Case;
  const values = await readValues(`${folder}/values.safetensors`);
  const outcomes: Record<string, Outcome> = {};
  const ready: { measured: Measured; runner: Runner }[] = [];
  for (const engine of engines.filter((engine) => names.includes(engine.name) && engine.takes(given))) {
    try {
      const runner = await engine.load(given, folder, values);
      await runner.run();
      const error = distance(await runner.output(), values.get(OUTPUT)?.data ?? new Float32Array());
      const measured = { ms: [], error, note: runner.note };
      outcomes[engine.name] = measured;
      ready.push({ measured, runner });
    } catch (error) {
      outcomes[engine.name] = { failed: String((error as { message?: string }).message ?? error) };
    }
  }
  for (let run = 0; run < runs; run++) {
    // Whoever is first in one run is last in the next.
    const order = run % 2 === 0 ? ready : [...ready].reverse();
    for (const { measured, runner } of order) measured.ms.push(await timed(runner));
  }
  for (const { runner } of ready) runner.free();
  return outcomes;
}

/** The median of as many repetitions as make up a time that can be told. */
async function timed(runner: Runner): Promise<number> {
  const taken: number[] = [];
  const start = performance.now();
  do {
    const before = performance.now();
    await runner.run();
    taken.push(performance.now() - before);
  } while (performance.now() - start < LEAST_MS && taken.length < MOST_REPEATS);
  taken.sort((a, b) => a - b);
  return taken[taken.length >> 1] ?? Number.NaN;
}

async function adapter(): Promise<string> {
  const info = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))?.info;
  return info ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ") : "none";
}

export const bench = { measure, adapter, cascade };
declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
