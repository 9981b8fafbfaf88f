/**
 * The worker: owns the WASM module, the GPU device and the weights, so that the page never waits for any of them.
 *
 * Messages are in protocol.ts. Everything about pictures happens in Rust; this file only connects the three callbacks
 * that Rust needs (read a file, report an event, ask whether to stop) to the store of models and postMessage.
 */

import init, { Engine } from "../pkg/imagen_web.js";
import { StoredFiles } from "./models/stored-files.ts";
import type {
  DeviceInfo,
  EngineOptions,
  FromWorker,
  GenerateRequest,
  ModelCard,
  Progress,
  ToWorker,
} from "./protocol.ts";

/** What Rust hands over with an event. */
type RustEvent = Progress & {
  picture?: { size: number; rgba: Uint8ClampedArray<ArrayBuffer>; png?: Uint8Array<ArrayBuffer> };
};

/** What Rust throws: `files` when a file of the model is at fault, `fatal` when the module cannot go on. */
interface RustError {
  kind: "cancelled" | "files" | "other" | "fatal";
  message: string;
}

/** Previews per stage: enough to watch, few enough to cost nothing. */
const PREVIEWS = 8;

let files: StoredFiles;
let engine: Promise<Engine>;
let model: ModelCard;
let active = false;
/** The adapters in the model, to be told in its pictures. */
let merged: string[] = [];

function send(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

async function open(wasm: WebAssembly.Module, port: MessagePort, options: EngineOptions): Promise<Engine> {
  const { device, gpuMemory, adapter } = options;
  files = new StoredFiles(port);
  await init({ module_or_path: wasm });
  const opened = await Engine.open(files, device, gpuMemory).catch(recheckAndThrow);
  merged = adapter ? [`${adapter.file.name}:${adapter.scale}`] : [];
  if (adapter) await opened.adapt(adapter.file.name, new Uint8Array(await adapter.file.arrayBuffer()), adapter.scale);
  model = opened.model() as ModelCard;
  send({ kind: "opened", model, device: opened.device() as DeviceInfo });
  return opened;
}

/** Lets the event loop run, so that a cancel can arrive. A message is a macrotask without setTimeout's 4 ms. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

function onEvent({ picture, ...progress }: RustEvent): void {
  send({ kind: "progress", progress });
  if (!picture) return;
  const { size, rgba, png } = picture;
  if (png) send({ kind: "png", size, png: new Blob([png], { type: "image/png" }) });
  // Bitmaps are made in the order in which they are asked for.
  shown = shown.then(async () => {
    const bitmap = await createImageBitmap(new ImageData(rgba, size, size));
    send({ kind: "picture", size, bitmap, finished: png !== undefined }, [bitmap]);
  });
}

let shown = Promise.resolve();

async function generate(running: Engine, request: GenerateRequest): Promise<void> {
  files.prefetch();
  const sizes = model.stages.slice(0, request.stages.length).map((stage) => stage.imageSize);
  const perStage = (pick: (settings: GenerateRequest["stages"][number]) => number) =>
    Object.fromEntries(sizes.map((size, i) => [size, pick(request.stages[i] ?? { steps: 1, guidance: 1 })]));
  const most = Math.max(...request.stages.map((stage) => stage.steps));
  await running.generate(
    JSON.stringify({
      prompt: request.prompt,
      negative_prompt: request.negativePrompt,
      seed: request.seed,
      steps: perStage((stage) => stage.steps),
      guidance: perStage((stage) => stage.guidance),
      stop_at_stage: sizes.length,
      preview_every: Math.max(1, Math.ceil(most / PREVIEWS)),
      adapters: merged,
      profile: request.profile,
    }),
    onEvent,
    pause,
  );
  await shown;
}

function report(error: unknown): void {
  const { kind, message } = understood(error);
  if (kind === "cancelled") {
    send({ kind: "cancelled" });
    return;
  }
  if (kind === "files") files.recheck();
  send({ kind: "failed", message, fatal: kind === "fatal" });
}

/** For what fails before there is an engine: an adapter's file says nothing of the model's, so it does not come here. */
function recheckAndThrow(error: unknown): never {
  if (understood(error).kind === "files") files.recheck();
  throw error;
}

function understood(error: unknown): RustError {
  if (typeof error === "object" && error !== null && "kind" in error) return error as RustError;
  return { kind: "fatal", message: error instanceof Error ? error.message : String(error) };
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case "open":
      engine = open(data.wasm, data.files, data.options);
      engine.catch((error: unknown) => report({ ...understood(error), kind: "fatal" }));
      break;
    case "generate":
      active = true;
      engine
        .then((running) => generate(running, data.request).then(() => send({ kind: "done" }), report), ignore)
        .finally(() => {
          active = false;
        });
      break;
    case "cancel":
      // One that comes too late must not end the next generation.
      if (!active) break;
      files.stop();
      engine.then((running) => running.cancel(), ignore);
      break;
  }
};

/** A trap in WASM leaves its promise open for ever and shows only here. */
self.onunhandledrejection = (event) => {
  event.preventDefault();
  report(event.reason);
};

/** The failure of `open` was reported when it happened. */
function ignore(): void {}
