/** A model of random bytes: a manifest in order, files of many pieces. Enough for a store, which never looks inside. */

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

export const PIECE = 16 * 1024 * 1024;

export interface Entry {
  file: string;
  size: number;
  sha256: string;
  pieces?: string[];
}

interface Manifest {
  name: string;
  tokenizer: Entry;
  text_encoder: Entry;
  stages: { weights: Entry }[];
}

export class FakeModel {
  readonly name: string;
  readonly files = new Map<string, Buffer>();
  readonly entries: Entry[];
  readonly manifest: Manifest;

  /** `sizes` are those of text_encoder.gguf and of the stages' weights; `listed`: with the hashes of the pieces. */
  constructor(name: string, sizes: [number, number, number, number], listed = true) {
    this.name = name;
    const template = readFileSync(new URL("../../models/storybook/imagen.json", import.meta.url), "utf8");
    this.manifest = JSON.parse(template) as Manifest;
    this.manifest.name = name;
    const { tokenizer, text_encoder, stages } = this.manifest;
    this.entries = [tokenizer, text_encoder, ...stages.map((stage) => stage.weights)];
    this.entries.forEach((entry, index) => {
      const bytes = randomBytes([40_000, ...sizes][index] ?? 1);
      this.files.set(entry.file, bytes);
      entry.size = bytes.length;
      entry.sha256 = sha256(bytes);
      const count = Math.ceil(bytes.length / PIECE);
      if (!listed || count === 1) return;
      entry.pieces = Array.from({ length: count }, (_, i) => sha256(bytes.subarray(i * PIECE, (i + 1) * PIECE)));
    });
    this.files.set("imagen.json", Buffer.from(JSON.stringify(this.manifest)));
  }

  get bytes(): number {
    return this.entries.reduce((sum, { size }) => sum + size, 0);
  }
}

export function sha256(bytes: Buffer | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
