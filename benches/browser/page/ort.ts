/**
 * onnxruntime-web's WebGPU execution provider at its best: inputs and outputs stay in GPU buffers, of the graphs that
 * were exported the fastest is taken, and its commands are captured where that works and is faster.
 */

import type { InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import { bytes, type Case, type Engine, type Runner } from "./engine.ts";
import { OUTPUT, type Value, type Values } from "./values.ts";

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

export class OnnxRuntime implements Engine {
  readonly name = "ort";
  private loaded: Promise<Ort> | undefined;

  takes(): boolean {
    return true;
  }

  async load(given: Case, folder: string, values: Values): Promise<Runner> {
    this.loaded ??= load();
    const ort = await this.loaded;
    const attempts: Attempt[] = [];
    for (const graph of given.graphs) {
      attempts.push(await attempt(ort, await bytes(`${folder}/${graph}`), values, graph, false));
    }
    const plain = fastest(attempts);
    // Capture refuses a graph with nodes on the CPU.
    if (plain && plain.note === plain.graph) {
      attempts.push(await attempt(ort, await bytes(`${folder}/${plain.graph}`), values, plain.graph, true));
    }
    const failures = attempts.flatMap((tried) => ("failed" in tried ? [tried.failed] : []));
    const best = fastest(attempts);
    if (!best) throw new Error(failures.join("; "));
    const { session } = best;
    const note = [best.note, ...failures].join("; ");
    // Sessions are not released: the page goes after the row, and releasing one breaks the buffers of the others.
    return { note, run: () => session.run(), output: () => session.output(), free: () => {} };
  }
}

interface Timed {
  session: Session;
  ms: number;
  graph: string;
  note: string;
}

type Attempt = Timed | { failed: string };

function fastest(attempts: Attempt[]): Timed | undefined {
  const timed = attempts.filter((tried): tried is Timed => "session" in tried);
  return timed.sort((a, b) => a.ms - b.ms)[0];
}

/** Opens a session and times one run after the first ones. */
async function attempt(ort: Ort, model: Uint8Array, values: Values, graph: string, capture: boolean): Promise<Attempt> {
  try {
    printed.length = 0;
    const session = await Session.open(ort, model, values, capture);
    const placed = placement(printed.splice(0));
    // The first run compiles shaders; with capture the second one records.
    for (let turn = 0; turn < (capture ? 2 : 1); turn++) await session.run();
    const start = performance.now();
    await session.run();
    const ms = performance.now() - start;
    return { session, ms, graph, note: capture ? `${graph}, captured` : [graph, placed].filter(Boolean).join(", ") };
  } catch (error) {
    return { failed: `${graph}${capture ? ", captured" : ""} failed: ${error}` };
  }
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

  static async open(ort: Ort, model: Uint8Array, values: Values, capture: boolean): Promise<Session> {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ["webgpu"],
      graphOptimizationLevel: "all",
      enableGraphCapture: capture,
      preferredOutputLocation: "gpu-buffer",
      // Verbose says where nodes were placed.
      logSeverityLevel: capture ? 3 : 0,
    });
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
    return new Session(session, device, feeds, { [session.outputNames[0] ?? OUTPUT]: tensor(zeros) }, buffers);
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
