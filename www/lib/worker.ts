/**
 * The worker: owns the WASM module, the GPU device and the weights, so that the page never waits for any of them.
 *
 * Messages are in protocol.ts. Everything about pictures happens in Rust; this file only connects the three callbacks
 * that Rust needs (read a file, report an event, ask whether to stop) to the store of models and postMessage.
 */

import init, { Engine } from "../pkg/imagen_web.js";
import type { StageOptions } from "./api.ts";
import { ImagenError } from "./imagen-error.ts";
import { StoredFiles } from "./models/stored-files.ts";
import type {
  DeviceInfo,
  EngineOptions,
  FailureReason,
  FromWorker,
  GenerateRequest,
  MemoryPlan,
  MemoryRequest,
  ModelCard,
  Progress,
  ToWorker,
} from "./protocol.ts";
import { startPicture } from "./start-picture.ts";
import { inEnglish, type Told, type Why } from "./why.ts";

/** What Rust hands over with an event. */
type RustEvent = Progress & {
  picture?: { size: number; rgba: Uint8ClampedArray<ArrayBuffer>; png?: Uint8Array<ArrayBuffer> };
};

/** What Rust throws, and `fatal` when the module cannot go on. */
interface RustError extends Told {
  kind: "cancelled" | FailureReason | "fatal";
}

/** Previews of the longest stage: enough to watch, few enough to cost nothing. */
const PREVIEWS = 8;

let files: StoredFiles;
let engine: Promise<Engine>;
let model: ModelCard;
let active = false;
/** Runs and questions about them, one after another. */
let work: Promise<unknown> = Promise.resolve();
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

function onEvent({ picture, ...event }: RustEvent): void {
  send({ kind: "progress", progress: event.event === "notice" ? noticeOf(event) : event });
  if (!picture) return;
  const { size, rgba, png } = picture;
  const file = png && { png: new Blob([png], { type: "image/png" }) };
  const bitmap = bitmapOf(new ImageData(rgba, size, size));
  send({ kind: "picture", size, bitmap, ...file }, [bitmap]);
}

/** Rust tells a notice's code and values beside its text. */
function noticeOf({ event, text, ...why }: { event: "notice"; text: string }): Progress {
  return { event, text, why: why as unknown as Why };
}

/** At once, unlike `createImageBitmap`: what is told of a run stays in order, and is told before the next long step. */
function bitmapOf(pixels: ImageData): ImageBitmap {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  return canvas.transferToImageBitmap();
}

async function generate(running: Engine, request: GenerateRequest): Promise<void> {
  files.prefetch();
  const { startAt, stopAt, picture, stages = {}, previews = PREVIEWS } = request;
  const first = startAt === undefined ? 1 : stageOf(startAt);
  const last = stopAt === undefined ? model.stages.length : stageOf(stopAt);
  const start = picture && (await startPicture(picture, sizeBefore(first)).catch(refuse));
  if (start?.why) send({ kind: "progress", progress: { event: "notice", text: inEnglish(start.why), why: start.why } });
  const ran = model.stages.slice(first - 1, last);
  const most = Math.max(...ran.map(({ imageSize, steps }) => countOf(stages[imageSize]?.steps) ?? steps));
  await running.generate(
    JSON.stringify({
      prompt: request.prompt,
      negative_prompt: request.negativePrompt ?? "",
      seed: request.seed ?? 0,
      steps: perStage(stages, (stage) => stage.steps),
      guidance: perStage(stages, (stage) => stage.guidance),
      sampler: perStage(stages, (stage) => stage.sampler),
      thresholding: perStage(stages, (stage) => stage.thresholding),
      start_at_stage: first,
      stop_at_stage: last,
      preview_every: previews > 0 ? Math.max(1, Math.ceil(most / previews)) : undefined,
      adapters: merged,
      profile: request.profile ?? false,
    }),
    start?.png,
    onEvent,
    pause,
  );
}

/** What a run would take; its prompt makes no difference, but there has to be one. */
async function memory(running: Engine, { stages = {}, stopAt }: MemoryRequest): Promise<MemoryPlan> {
  const request = {
    prompt: "any",
    guidance: perStage(stages, (stage) => stage.guidance),
    stop_at_stage: stopAt === undefined ? model.stages.length : stageOf(stopAt),
  };
  return (await running.memory(JSON.stringify(request))) as MemoryPlan;
}

/** The number of the stage with pictures of this size, counted from 1. */
function stageOf(size: number): number {
  const index = model.stages.findIndex(({ imageSize }) => imageSize === size);
  if (index >= 0) return index + 1;
  const sizes = model.stages.map(({ imageSize }) => imageSize).join(", ");
  return refuse(`no stage has the size ${size}; this model has ${sizes}`);
}

/** The size of the picture that a stage enlarges. */
function sizeBefore(stage: number): number {
  return model.stages[stage - 2]?.imageSize ?? refuse("the first stage starts from noise: leave the picture out");
}

/** One setting of the stages that have it, by size. */
function perStage<T>(stages: Record<number, StageOptions>, pick: (stage: StageOptions) => T): Record<string, T> {
  const picked = Object.entries(stages).map(([size, stage]) => [size, pick(stage)] as const);
  return Object.fromEntries(picked.filter(([, value]) => value !== undefined));
}

/** Steps of a number or of a named grid, which ends with it. */
function countOf(steps: number | string | undefined): number | undefined {
  const digits = String(steps ?? "").match(/\d+$/);
  return digits ? Number(digits[0]) : undefined;
}

/** A request that cannot run. */
function refuse(reason: unknown): never {
  const { message, why } = ImagenError.from(reason);
  throw { kind: "request", message, why } satisfies RustError;
}

function report(error: unknown): void {
  const { kind, ...told } = understood(error);
  if (kind === "cancelled") {
    send({ kind: "cancelled" });
    return;
  }
  if (kind === "files") files.recheck();
  const fatal = kind === "fatal";
  send({ kind: "failed", reason: fatal ? "other" : kind, ...told, fatal });
}

function reasonOf(kind: RustError["kind"]): FailureReason {
  return kind === "fatal" || kind === "cancelled" ? "other" : kind;
}

/** For what fails before there is an engine: an adapter's file says nothing of the model's, so it does not come here. */
function recheckAndThrow(error: unknown): never {
  if (understood(error).kind === "files") files.recheck();
  throw error;
}

function understood(error: unknown): RustError {
  if (typeof error === "object" && error !== null && "kind" in error) {
    const { kind, message, why } = error as RustError;
    return { kind, message, why: why?.code === "noFile" ? { ...why, why: files.reason(why.name) } : why };
  }
  const reason = error instanceof Error ? error.message : String(error);
  const why = { code: "engineStopped", reason } as const;
  return { kind: "fatal", message: inEnglish(why), why };
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case "open":
      engine = open(data.wasm, data.files, data.options);
      // Without an engine this worker is of no use, whoever was at fault.
      engine.catch((error: unknown) => {
        const { kind, ...told } = understood(error);
        send({ kind: "failed", reason: reasonOf(kind), ...told, fatal: true });
      });
      work = engine.catch(ignore);
      break;
    case "generate":
      active = true;
      work = work
        .then(() => engine)
        .then((running) => generate(running, data.request).then(() => send({ kind: "done" }), report), ignore)
        .finally(() => {
          active = false;
        });
      break;
    case "memory":
      work = work
        .then(() => engine)
        .then((running) => memory(running, data.request))
        .then(
          (plan) => send({ kind: "memory", call: data.call, plan }),
          (error: unknown) => {
            const { kind, ...told } = understood(error);
            send({ kind: "no-memory", call: data.call, reason: reasonOf(kind), ...told });
          },
        );
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
