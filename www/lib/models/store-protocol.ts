/** The messages between the page and the store's worker, and between the engine's worker and the store's. */

import type { PictureSettings } from "../api.ts";
import type { PageWhy, Told } from "../why.ts";
import type { StoreErrorKind } from "./store-error.ts";

export type ModelKind = "built-in" | "url" | "folder";

/** `partial`: nothing or a part is there, and nothing is being fetched; `waiting`: for another tab. */
export type ModelState = "partial" | "waiting" | "downloading" | "whole";

/** A model as a list shows it. */
export interface ModelView {
  id: string;
  kind: ModelKind;
  name: string;
  version: string;
  license: string;
  /** Where it came from: an address, or a folder's name. */
  origin: string;
  bytes: number;
  held: number;
  state: ModelState;
  /** Why it is not whole, or what the user should know. */
  error: Told | undefined;
  note: Told | undefined;
  /** Tells a version from another one of the same address. */
  revision: string;
  /** What the model's address has now, while not all of that is here: the model itself stays as it is until then. */
  newer: ModelView | undefined;
}

/** The model that ships with the page. */
export const BUILT_IN = "built-in";

/** What is fetched of a model that is added: its newest version, that only where no other one is whole, or nothing yet. */
export type Fetch = "newest" | "missing" | "nothing";

export type ToStore =
  /** First message: the address of the built-in model's manifest. */
  | { kind: "start"; builtIn: string }
  /** `files`: where each of its files lies, if not beside the manifest under its own name. */
  | { kind: "add"; call: number; address: string; files?: Record<string, string> | undefined; fetch: Fetch }
  | { kind: "folder"; call: number; name: string; files: Map<string, File> }
  | { kind: "resume"; call: number; id: string }
  | { kind: "pause"; call: number; id: string }
  | { kind: "remove"; call: number; id: string }
  /** Answered when all of the model, or of the newest version of it, is there. */
  | { kind: "whole"; call: number; id: string; newest: boolean }
  /** Answered when all that is stored of the model was read, and what is damaged is forgotten. */
  | { kind: "verify"; call: number; id: string }
  /** Reads the settings in a PNG. */
  | { kind: "settings"; call: number; png: Blob }
  /** Gives an engine's worker access to a model, until the same engine is given another one. */
  | { kind: "connect"; engine: number; id: string; port: MessagePort }
  /** An engine is closed: nothing of its model is in use any more. */
  | { kind: "leave"; engine: number };

export type FromStore =
  /** The WASM, which checks manifests here, for the engines. */
  | { kind: "compiled"; wasm: WebAssembly.Module }
  /** The answer to `start`; the other messages are sent after it. */
  | { kind: "started" }
  | { kind: "broken"; reason: string }
  | { kind: "models"; models: ModelView[]; lasting: boolean }
  /** The answer to a call. */
  | { kind: "done"; call: number; answer: Answer }
  | ({ kind: "failed"; call: number; reason: StoreErrorKind } & Told<PageWhy>);

/** A model's id, or a picture's settings. */
export type Answer = string | PictureSettings | undefined;

/** What the engine's worker asks of its model. */
export type FileRequest =
  | { kind: "file"; call: number; name: string }
  /** All files will be needed. */
  | { kind: "prefetch" }
  /** Nothing is needed any more. */
  | { kind: "stop" }
  /** Rust found a file damaged. */
  | { kind: "recheck" };

export type FileAnswer = { call: number; blob: Blob } | ({ call: number } & Told<PageWhy>);
