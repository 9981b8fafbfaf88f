/**
 * onnxruntime-web's WebGPU execution provider: inputs and outputs stay in GPU buffers, and of the graphs that were
 * exported, with commands captured or not, the driver takes the fastest.
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

/** One of the ways in which a row can run: an exported graph, with its commands captured or not. */
export interface Way {
  graph: string;
  capture: boolean;
}

/** One way. Only one session may be opened in a page: a second one breaks its buffers. */
export class OnnxRuntime implements Engine {
  constructor(private readonly way: Way) {}

  takes(): boolean {
    return true;
  }

  async load(_: Case, folder: string, values: Values): Promise<Runner> {
    const { session, placed } = await Session.open(this.way, folder, values);
    // With capture the second run records.
    if (this.way.capture) await session.run();
    return { note: placed, run: () => session.run(), output: () => session.output() };
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
