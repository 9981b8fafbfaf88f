/** What the JavaScript API takes and tells: the types of `imagen.ts`. */

import type {
  DeviceChoice,
  DeviceInfo,
  MemoryPlan,
  MemoryRequest,
  ModelCard,
  Residency,
  Sampler,
  StageCard,
  Thresholding,
} from "./protocol.ts";
import type { Why } from "./why.ts";

export type {
  DeviceChoice,
  DeviceInfo,
  MemoryPlan,
  MemoryRequest,
  ModelCard,
  Residency,
  Sampler,
  StageCard,
  Thresholding,
};

/** A model whose files lie under other names than the manifest's, as a bundler gives them. */
export interface ModelFiles {
  /** The address of its `imagen.json`. */
  manifest: string | URL;
  /** The address of each file that the manifest names. */
  files: Record<string, string | URL>;
}

/** A model that this browser's store has in its list, by its id there. */
export interface StoredModel {
  id: string;
}

/** What becomes of a model until it is open. */
export type LoadProgress =
  /** Bytes that are there, of all. */
  | { type: "download"; done: number; total: number }
  /** All is there, or comes when it is needed. */
  | { type: "opening" };

/**
 * Decides about a prompt: true lets it through; false refuses it, and so does a text, which is the reason that the user
 * is told. It is asked before anything is computed, and again for every run.
 */
export type AllowPrompt = (prompt: string, negativePrompt: string) => boolean | string | Promise<boolean | string>;

export interface LoadOptions {
  /**
   * The address of a model's `imagen.json` or of its folder, relative to the page; the files of a package such as
   * `imagen-web-storybook`; or a model of the store. Left out: `models/storybook/` beside the page.
   */
  model?: string | URL | ModelFiles | StoredModel | undefined;
  /** What to compute on. `auto`, which is the default: a GPU in hardware, else the CPU. */
  device?: DeviceChoice | undefined;
  /** Bytes of GPU memory that may be used. */
  gpuMemory?: number | undefined;
  /** A low-rank adapter (LoRA, safetensors) for one of the U-Nets, and how strong it is; 1 where that is left out. */
  adapter?: { file: File; scale?: number } | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Ends the loading. What was downloaded stays. */
  signal?: AbortSignal | undefined;
  /** Asked before each run. */
  allowPrompt?: AllowPrompt | undefined;
}

/** What a stage is to do otherwise than its model says. */
export interface StageOptions {
  /** How many steps, or a time grid by name, such as `smart50`. */
  steps?: number | string | undefined;
  /** Classifier-free guidance; 1 is none. */
  guidance?: number | undefined;
  sampler?: Sampler | undefined;
  thresholding?: Thresholding | undefined;
}

export interface GenerateOptions {
  prompt: string;
  negativePrompt?: string | undefined;
  /** A whole number from 0 to 2⁵³ - 1; 0 where it is left out. The same seed gives the same picture. */
  seed?: number | undefined;
  /** Ends the run within a step. */
  signal?: AbortSignal | undefined;
  /** By picture size. What is left out is the model's own. */
  stages?: Readonly<Record<number, StageOptions>> | undefined;
  /** Picture size of the last stage. */
  stopAt?: number | undefined;
  /** Picture size of the first stage, which then enlarges `picture`. */
  startAt?: number | undefined;
  /**
   * The picture to enlarge. One of the size of the stage before is taken as it is; any other is cut to its middle square
   * and scaled, which a notice tells.
   */
  picture?: Blob | undefined;
  /** How many previews to make of the stage with the most steps; 8 where it is left out. */
  previews?: number | undefined;
  /** Time the GPU's kernels too. */
  profile?: boolean | undefined;
}

/** What a run tells. Sizes are widths in pixels; steps count from 1. Close the bitmaps when you have drawn them. */
export type GenerateEvent =
  /** Bytes of the model that have arrived, of all. */
  | { type: "download"; done: number; total: number }
  /** Weights are read: bytes of a part. */
  | { type: "loading"; part: string; done: number; total: number }
  /** The GPU's programs are made for a part. */
  | { type: "compiling"; part: string; done: number; total: number }
  /** What of the model stays in the GPU's memory. */
  | { type: "memory"; message: string; plan: MemoryPlan }
  /** Something to know that stops nothing, such as a prompt that was cut; `why` is the same as a code. */
  | { type: "notice"; message: string; why?: Why | undefined }
  | { type: "encoding" }
  | { type: "stage"; size: number; steps: number }
  | { type: "step"; size: number; step: number; steps: number }
  | { type: "preview"; size: number; bitmap: ImageBitmap }
  /** A stage is finished. The PNG holds the settings and where it came from. */
  | { type: "picture"; size: number; png: Blob; bitmap: ImageBitmap }
  /** What the GPU's kernels took, as lines of text in columns. */
  | { type: "profile"; part: string; table: string }
  /** The GPU was lost; the run goes on with this stage. */
  | { type: "resumed"; size: number };

/** What a PNG says of how it was made. */
export interface PictureSettings {
  prompt: string;
  negativePrompt: string;
  /** Left out where it is larger than JavaScript's whole numbers. */
  seed?: number;
  /** Name and version of the model, with its adapters. */
  model: string;
  /** Program and version. */
  program: string;
  width: number;
  height: number;
  /** What each stage did, by picture size, as far as the file says. */
  stages: Record<number, StageOptions>;
  /** Picture size of the first stage, where the run began with a picture. */
  startAt?: number;
}
