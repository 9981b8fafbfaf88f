/**
 * onnxruntime-web's WebGPU execution provider: inputs and outputs stay in GPU buffers, and of the graphs that were
 * exported, with commands captured or not, the driver takes the fastest.
 */

import type { InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import { bytes, type Case, type Engine, type Runner } from "./engine.ts";
import { distance, OUTPUT, type Value, type Values } from "./values.ts";

type Ort = typeof import("onnxruntime-web/webgpu");

/** WebGPU's constants, which TypeScript's library leaves out. */
declare const GPUBufferUsage: Record<"STORAGE" | "COPY_DST" | "COPY_SRC" | "MAP_READ", number>;
declare const GPUMapMode: { READ: number };

/** Lines that the runtime printed since somebody last asked. Hooked before its module binds the console. */
const printed: string[] = [];
for (const level of ["log", "info", "warn", "error", "debug"] as const) {
  // biome-ignore lint/suspicious/noConsole: the runtime has no other way to tell where nodes run
  const original = console[level].bind(console);
  console[level] = (...parts: unknown[]) => {
    const line = parts.join(" ");
    if (line.includes("onnxruntime")) printed.push(line);
    else original(...parts);
  };
}

/** One of the ways in which a row can run: an exported graph, with its commands captured or not. */
export interface Way {
  graph: string;
  capture: boolean;
}

export class OnnxRuntime implements Engine {
  readonly name = "ort";

  /** The way that trials, each in a page of its own, found to be the fastest. */
  constructor(private readonly way: Way | undefined) {}

  takes(): boolean {
    return this.way !== undefined;
  }

  async load(_: Case, folder: string, values: Values): Promise<Runner> {
    const { session, placed } = await Session.open(this.way as Way, folder, values);
    return { note: placed, run: () => session.run(), output: () => session.output(), free: () => {} };
  }
}

/** What one way came to. */
export interface Trial extends Way {
  ms: number;
  /** Relative L2 distance from PyTorch's output. */
  error: number;
  /** How many nodes are on the CPU; empty where none is. */
  placed: string;
}

/** A way is tried for so long, and at least once. */
const TRIAL_MS = 100;
/** A first run that takes longer than this is the trial: compiling is a small part of it. */
const SLOW_MS = 20_000;

/** The fastest run after the first ones, or the first where it is slow. Only one session may be opened in a page: a second one breaks its buffers. */
export async function trial(way: Way, folder: string, values: Values): Promise<Trial> {
  const { session, placed } = await Session.open(way, folder, values);
  // The first run compiles shaders; with capture the second one records.
  let ms = await timed(session);
  if (way.capture) await session.run();
  if (ms < SLOW_MS) {
    ms = Number.POSITIVE_INFINITY;
    const begin = performance.now();
    do ms = Math.min(ms, await timed(session));
    while (performance.now() - begin < TRIAL_MS);
  }
  const error = distance(await session.output(), values.get(OUTPUT)?.data ?? new Float32Array());
  return { ...way, ms, error, placed };
}

async function timed(session: Session): Promise<number> {
  const start = performance.now();
  await session.run();
  return performance.now() - start;
}

async function load(): Promise<Ort> {
  const ort = await import("onnxruntime-web/webgpu");
  ort.env.wasm.numThreads = 1;
  return ort;
}

/** Which nodes are not on the GPU, from the runtime's own log; empty where all are. */
function placement(log: string[]): string {
  const counted = log.flatMap((line) => {
    const found = /placed on \[(\w+?)(?:ExecutionProvider)?\]. Number of nodes: (\d+)/.exec(line);
    return found ? [{ provider: found[1] ?? "", nodes: Number(found[2]) }] : [];
  });
  if (counted.length === 0) return "placement unknown";
  const elsewhere = counted.filter(({ provider }) => !/webgpu|js/i.test(provider));
  return elsewhere.map(({ provider, nodes }) => `${nodes} nodes on ${provider}`).join(", ");
}

/** A session with its inputs and its output in GPU buffers that stay. */
class Session {
  private constructor(
    private readonly session: InferenceSession,
    private readonly device: GPUDevice,
    private readonly feeds: Record<string, Tensor>,
    private readonly fetches: Record<string, Tensor>,
    private readonly buffers: GPUBuffer[],
  ) {}

  static async open({ graph, capture }: Way, folder: string, values: Values) {
    const ort = await load();
    const model = await bytes(`${folder}/${graph}`);
    printed.length = 0;
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ["webgpu"],
      graphOptimizationLevel: "all",
      enableGraphCapture: capture,
      preferredOutputLocation: "gpu-buffer",
      // Verbose says where nodes were placed.
      logSeverityLevel: capture ? 3 : 0,
    });
    const placed = capture ? "" : placement(printed.splice(0));
    const device = await ort.env.webgpu.device;
    const buffers: GPUBuffer[] = [];
    const tensor = ({ shape, data }: Value) => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
      device.queue.writeBuffer(buffer, 0, data);
      buffers.push(buffer);
      return ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
    };
    const feeds: Record<string, Tensor> = {};
    for (const name of session.inputNames) {
      const value = values.get(name);
      if (!value) throw new Error(`no value for ${name}`);
      feeds[name] = tensor(value);
    }
    const expected = values.get(OUTPUT) as Value;
    const zeros = { shape: expected.shape, data: new Float32Array(expected.data.length) };
    const fetches = { [session.outputNames[0] ?? OUTPUT]: tensor(zeros) };
    return { session: new Session(session, device, feeds, fetches, buffers), placed };
  }

  async run(): Promise<void> {
    await this.session.run(this.feeds, this.fetches, { logSeverityLevel: 3 });
    await this.device.queue.onSubmittedWorkDone();
  }

  async output(): Promise<Float32Array> {
    const source = this.buffers.at(-1) as GPUBuffer;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const staging = this.device.createBuffer({ size: source.size, usage });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    const count = Object.values(this.fetches)[0]?.size ?? 0;
    return values.subarray(0, count);
  }
}
