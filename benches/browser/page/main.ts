/** Measures one row of the table: all engines loaded, checked against PyTorch, then timed in turns. */

import { Burn } from "./burn.ts";
import { type Case, type Engine, type Runner, StillBusy } from "./engine.ts";
import { OnnxRuntime, type Trial, trial as trialOf, type Way } from "./ort.ts";
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
export type Outcome = Measured | { failed: string; busy: boolean };

/** What is to be measured. */
export interface Asked {
  row: string;
  engines: string[];
  runs: number;
  /** Milliseconds that burn may tune. */
  tuning: number;
  /** onnxruntime-web's way. */
  way: Way | undefined;
}

/** A measurement repeats what is fast until it has taken this long. */
const LEAST_MS = 150;
const MOST_REPEATS = 20;
/** No turn begins later than this after the first; the slowest rows have fewer turns than were asked for. */
const TURNS_MS = 240_000;

const folderOf = (name: string) => `/data/${encodeURIComponent(name)}`;

/** What a thrown thing says: the engines throw strings and plain objects too. */
const reason = (error: unknown) =>
  String((error as { message?: string } | undefined)?.message ?? error)
    .replace(/\s+/g, " ")
    .slice(0, 300);

async function graphs(name: string): Promise<string[]> {
  return ((await (await fetch(`${folderOf(name)}/case.json`)).json()) as Case).graphs;
}

/** Tries one way of onnxruntime-web. */
async function trial(name: string, way: Way): Promise<Trial | { failed: string }> {
  try {
    return await trialOf(way, folderOf(name), await readValues(`${folderOf(name)}/values.safetensors`));
  } catch (error) {
    return { failed: reason(error) };
  }
}

/** The outcome of each engine; of the one alone that is still busy, where one is. */
async function measure({ row, engines: names, runs, tuning, way }: Asked): Promise<Record<string, Outcome>> {
  const engines: Engine[] = [new Ours(), new Burn(tuning), new OnnxRuntime(way)];
  const folder = folderOf(row);
  const given = (await (await fetch(`${folder}/case.json`)).json()) as Case;
  const values = await readValues(`${folder}/values.safetensors`);
  const outcomes: Record<string, Outcome> = {};
  const ready: { name: string; measured: Measured; runner: Runner }[] = [];
  for (const engine of engines.filter((engine) => names.includes(engine.name) && engine.takes(given))) {
    try {
      const runner = await engine.load(given, folder, values);
      await runner.run();
      const error = distance(await runner.output(), values.get(OUTPUT)?.data ?? new Float32Array());
      const measured = { ms: [], error, note: runner.note };
      outcomes[engine.name] = measured;
      ready.push({ name: engine.name, measured, runner });
    } catch (error) {
      const busy = error instanceof StillBusy;
      const failure = { failed: reason(error), busy };
      if (busy) return { [engine.name]: failure };
      outcomes[engine.name] = failure;
    }
  }
  const start = performance.now();
  for (let run = 0; run < runs && performance.now() - start < TURNS_MS; run++) {
    // Whoever is first in one run is last in the next.
    const order = run % 2 === 0 ? ready : [...ready].reverse();
    for (const { name, measured, runner } of order) {
      try {
        measured.ms.push(await timed(runner));
      } catch (error) {
        outcomes[name] = { failed: reason(error), busy: false };
      }
    }
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

export const bench = { graphs, trial, measure, adapter, cascade };
declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
