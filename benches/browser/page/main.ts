/** One engine and one row of the table in a page: loaded, checked against PyTorch, then timed as often as the driver asks. */

import { Burn } from "./burn.ts";
import type { Case, Engine, Runner } from "./engine.ts";
import { OnnxRuntime, type Way } from "./ort.ts";
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

/** What is to be loaded. */
export type Asked = { row: string } & (
  | { engine: "ours" }
  /** Milliseconds that burn may tune. */
  | { engine: "burn"; tuning: number }
  | { engine: "ort"; way: Way }
);

/** An engine whose first run is done. */
export interface Loaded {
  /** Milliseconds of that run, which compiles. */
  first: number;
  error: number;
  note: string;
}

/** A measurement repeats what is fast until it has taken this long. */
const LEAST_MS = 150;
const MOST_REPEATS = 20;

const folderOf = (name: string) => `/data/${encodeURIComponent(name)}`;

/** What a thrown thing says: the engines throw strings and plain objects too. */
const reason = (error: unknown) =>
  String((error as { message?: string } | undefined)?.message ?? error)
    .replace(/\s+/g, " ")
    .slice(0, 300);

const caseOf = async (row: string) => (await (await fetch(`${folderOf(row)}/case.json`)).json()) as Case;

/** The graphs of a row for onnxruntime-web. */
async function graphs(row: string): Promise<string[]> {
  return (await caseOf(row)).graphs;
}

function engineOf(asked: Asked): Engine {
  switch (asked.engine) {
    case "ours":
      return new Ours();
    case "burn":
      return new Burn(asked.tuning);
    case "ort":
      return new OnnxRuntime(asked.way);
  }
}

let runner: Runner | undefined;

/** Loads an engine and runs it once; nothing where it has no part in the row. */
async function load(asked: Asked): Promise<Loaded | { failed: string } | undefined> {
  const [engine, given] = [engineOf(asked), await caseOf(asked.row)];
  if (!engine.takes(given)) return undefined;
  try {
    const values = await readValues(`${folderOf(asked.row)}/values.safetensors`);
    runner = await engine.load(given, folderOf(asked.row), values);
    const start = performance.now();
    await runner.run();
    const first = performance.now() - start;
    const error = distance(await runner.output(), values.get(OUTPUT)?.data ?? new Float32Array());
    return { first, error, note: runner.note };
  } catch (error) {
    return { failed: reason(error) };
  }
}

/** Milliseconds of a run of what is loaded. */
async function turn(): Promise<number | { failed: string }> {
  if (!runner) return { failed: "nothing is loaded" };
  return timed(runner).catch((error: unknown) => ({ failed: reason(error) }));
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

export const bench = { graphs, load, turn, adapter, cascade };
declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
