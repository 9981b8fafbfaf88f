/** What the comparison asks of an engine: to load a row of the table and run it again and again. */

import type { Values } from "./values.ts";

/** A row as the export wrote it: `case.json`. */
export interface Case {
  row: { name: string; group: string; kind: string; format?: string };
  /** Variants of the graph for onnxruntime-web. */
  graphs: string[];
}

export interface Engine {
  /** Whether it has a part in this row. */
  takes(given: Case): boolean;
  load(given: Case, folder: string, values: Values): Promise<Runner>;
}

export interface Runner {
  /** What a reader of the table has to know. */
  readonly note: string;
  /** Runs once and waits until the GPU is done. */
  run(): Promise<void>;
  /** The output of the last run as PyTorch lays it out. */
  output(): Promise<Float32Array>;
}

export async function bytes(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
