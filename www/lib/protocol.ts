/**
 * The messages between the page and its worker.
 *
 * Written by hand instead of through Comlink: a generation is a stream of events with transferred pictures in both
 * directions at once (a cancel must pass a running call), which as a pair of tagged unions is shorter than proxied
 * callbacks, checked by the compiler on both sides, and costs no code in the bundle.
 */

import type { GenerateOptions } from "./api.ts";
import type { FileEntry } from "./models/pieces.ts";
import type { During, Told, Why } from "./why.ts";

export type DeviceChoice = "auto" | "gpu" | "gpu-half" | "cpu";

/** What the networks run on. `reason` says why, where it was not the first choice. */
export interface DeviceInfo {
  kind: "gpu" | "cpu";
  name: string;
  software: boolean;
  reason: string;
  /** The reason as a code. */
  why?: Why;
}

/** `ddim:0.5` is DDIM with that share of fresh noise. */
export type Sampler = "ddpm" | "ddim" | `ddim:${number}` | "dpm++2m";

/** How the picture is kept in range between two steps. */
export type Thresholding =
  | { kind: "none" }
  | { kind: "static"; max: number }
  | { kind: "dynamic"; quantile: number; max: number };

/** A stage and its own settings, which a request may override. */
export interface StageCard {
  name: string;
  /** Width and height of its pictures. */
  imageSize: number;
  steps: number;
  maxSteps: number;
  /** 1 is none. */
  guidance: number;
  sampler: Sampler;
  thresholding: Thresholding;
  /** Whether it enlarges a picture, instead of beginning with noise. */
  enlarges: boolean;
}

/** What the page needs of the manifest. */
export interface ModelCard {
  name: string;
  version: string;
  license: string;
  examples: string[];
  /** All files but the manifest, in the order in which they are needed, and their bytes together. */
  files: FileEntry[];
  bytes: number;
  stages: StageCard[];
}

/** A run, as `GenerateOptions` describes it. */
export type GenerateRequest = Omit<GenerateOptions, "signal">;

/** What of a run decides how much memory it takes. */
export type MemoryRequest = Pick<GenerateOptions, "stages" | "stopAt">;

/** The steps of a generation that the page shows. `stage` counts from 0. */
export type Progress =
  | { event: "loading"; part: string; done: number; total: number }
  | { event: "compiling"; part: string; done: number; total: number }
  /** What stays loaded during this run. */
  | ({ event: "memory" } & MemoryPlan)
  | { event: "encoding" }
  | { event: "notice"; text: string; why?: Why | undefined }
  | { event: "stage_started"; stage: number; image_size: number; steps: number; images: number }
  | { event: "step"; stage: number; image_size: number; image: number; images: number; step: number; steps: number }
  | { event: "stage_finished"; stage: number; image_size: number }
  /** What the GPU's kernels took, as lines of text in columns. */
  | { event: "profile"; part: string; table: string }
  | { event: "resumed"; stage: number; image_size: number };

/**
 * What of a model stays loaded during a run: all of it; the stages, or else the text encoder; one of all these; or the same with
 * the text encoder running layer by layer.
 */
export type Residency = "keep_all" | "drop_text_encoder" | "one_at_a_time" | "stream_text_encoder";

/** What a run keeps loaded. Of a GPU all its buffers are counted, of a CPU the weights. */
export interface MemoryPlan {
  residency: Residency;
  /** The most that is loaded at any moment; null where memory ran out before it was counted. */
  bytes: number | null;
  /** How much may be used, where that was said. */
  budget: number | null;
  /** Where memory ran out while more was loaded. */
  after: During | null;
  /** All of this in English. */
  text: string;
}

/** What a model is opened with. */
export interface EngineOptions {
  device: DeviceChoice;
  /** Bytes of GPU memory that may be used; the program decides where it is left out. */
  gpuMemory?: number | undefined;
  /** A low-rank adapter (LoRA) that is merged into the U-Net it fits, so many times as strong as it was trained. */
  adapter?: { file: File; scale: number } | undefined;
}

export type ToWorker =
  /** First message: the compiled WASM, and the port behind which the store gives out the model's files. */
  | { kind: "open"; wasm: WebAssembly.Module; files: MessagePort; options: EngineOptions }
  | { kind: "generate"; request: GenerateRequest }
  /** Asks what a run would take. Answered when none is under way. */
  | { kind: "memory"; call: number; request: MemoryRequest }
  | { kind: "cancel" };

export type FromWorker =
  | { kind: "opened"; model: ModelCard; device: DeviceInfo }
  | { kind: "progress"; progress: Progress }
  /** A preview; with a PNG, which has the settings in it, a finished stage's picture. */
  | { kind: "picture"; size: number; bitmap: ImageBitmap; png?: Blob }
  | { kind: "done" }
  | { kind: "cancelled" }
  | { kind: "memory"; call: number; plan: MemoryPlan }
  | ({ kind: "no-memory"; call: number; reason: FailureReason } & Told)
  /** `fatal`: this worker is of no more use. */
  | ({ kind: "failed"; reason: FailureReason; fatal: boolean } & Told);

/** What was at fault: the request, the model's files, the device, or something else. */
export type FailureReason = "request" | "files" | "device" | "other";
