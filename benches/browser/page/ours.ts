/** imagen-web's own plans, through the crate's `bench` feature. */

import { bytes, type Case, type Engine, type Runner } from "./engine.ts";
import { channelsFirst, channelsLast, OUTPUT, type Values } from "./values.ts";

/** The part of the WASM package's surface that is used here. */
interface Package {
  default(): Promise<unknown>;
  Bench: { open(): Promise<Bench> };
  Engine: { open(files: Files, device: string): Promise<Cascade> };
}

interface Cascade {
  generate(request: string, onEvent: (event: { event: string }) => void, pause: () => Promise<void>): Promise<void>;
}

interface Bench {
  load(row: string, files: Files): Promise<BenchPlan>;
}

interface BenchPlan {
  input(name: string, values: Float32Array): void;
  prepare(): void;
  run(): Promise<void>;
  output(): Promise<Float32Array>;
  dispatches(): number;
  flops(): number;
}

interface File {
  size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

interface Files {
  open(file: string): Promise<File>;
}

/** Pictures are the tensors of four dimensions, but for an attention's bias, which lies as it is. */
const isPicture = (name: string, shape: number[]) => shape.length === 4 && name !== "bias";

export class Ours implements Engine {
  takes(): boolean {
    return true;
  }

  async load(given: Case, folder: string, values: Values): Promise<Runner> {
    const plan = await (await open()).load(JSON.stringify(given.row), files(`${folder}/`));
    for (const [name, value] of values) {
      // Ids are for engines that look embeddings up themselves.
      if (name === OUTPUT || name === "ids") continue;
      plan.input(name, isPicture(name, value.shape) ? channelsLast(value) : value.data);
    }
    plan.prepare();
    const shape = values.get(OUTPUT)?.shape ?? [];
    return {
      note: `${plan.dispatches()} dispatches, ${(plan.flops() / 1e9).toPrecision(3)} GFLOP`,
      run: () => plan.run(),
      output: async () => {
        const output = await plan.output();
        return isPicture(OUTPUT, shape) ? channelsFirst(output, shape) : output;
      },
    };
  }
}

async function wasm(): Promise<Package> {
  const url = new URL("/ours/imagen_web.js", location.href).href;
  const loaded = (await import(/* @vite-ignore */ url)) as Package;
  await loaded.default();
  return loaded;
}

async function open(): Promise<Bench> {
  return (await wasm()).Bench.open();
}

/**
 * Milliseconds of a first and of a second picture of storybook's first stage, with this many steps: until its weights are on the
 * GPU, until its first step is done, and until the picture is. The first one compiles all pipelines.
 */
export async function cascade(steps: number): Promise<[string, number][]> {
  const { Engine } = await wasm();
  const engine = await Engine.open(files("/storybook/"), "gpu");
  const request = { prompt: "a red house on a hill at night", seed: 7, steps: { 64: steps }, stop_at_stage: 1 };
  const taken: [string, number][] = [];
  for (const picture of ["first picture", "second picture"]) {
    const start = performance.now();
    const reached = new Map<string, number>();
    await engine.generate(
      JSON.stringify(request),
      // Weights are loaded in many events, of which the last counts; of the steps the first.
      ({ event }) => (event !== "step" || !reached.has(event)) && reached.set(event, performance.now() - start),
      () => Promise.resolve(),
    );
    taken.push(
      [`${picture}, weights`, reached.get("loading") ?? 0],
      [`${picture}, pipelines`, reached.get("compiling") ?? 0],
      [`${picture}, first step`, reached.get("step") ?? Number.NaN],
      [picture, performance.now() - start],
    );
  }
  return taken;
}

/** Files in memory that are read in pieces, so that WASM never holds all of one. Each is fetched once. */
function files(folder: string): Files {
  const opened = new Map<string, Promise<File>>();
  return {
    open: (name) => {
      const known = opened.get(name) ?? file(folder + name);
      opened.set(name, known);
      return known;
    },
  };
}

async function file(url: string): Promise<File> {
  const whole = await bytes(url);
  return { size: whole.length, read: async (offset, length) => whole.subarray(offset, offset + length) };
}
