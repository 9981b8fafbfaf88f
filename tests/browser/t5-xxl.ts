/**
 * A file of T5-XXL's shapes in the formats of llama.cpp's Q4_K_M, 2.9 GB, that lies nowhere: every tensor repeats one row of
 * blocks, so any range of bytes is made when it is asked for. Scales are such that the products stay finite.
 *
 * The layout is that of GGUF version 3 (ggml's docs/gguf.md) and ggml-common.h.
 */

import { createHash, randomBytes } from "node:crypto";
import { type Entry, PIECE } from "./fake-model.ts";

const LAYERS = 24;
const D_MODEL = 4096;
const D_FF = 10240;
const HEADS = 64;
const VOCABULARY = 32128;
const ALIGNMENT = 32;

type Format = "F32" | "Q4_K" | "Q6_K";
/** ggml's number of a format, values and bytes of its block. */
const FORMATS: Record<Format, { id: number; values: number; bytes: number }> = {
  F32: { id: 0, values: 1, bytes: 4 },
  Q4_K: { id: 12, values: 256, bytes: 144 },
  Q6_K: { id: 14, values: 256, bytes: 210 },
};

interface Tensor {
  name: string;
  /** Rows and columns, or only columns. */
  shape: number[];
  format: Format;
  /** Standard deviation of the values; an F32 tensor is all ones. */
  deviation: number;
  offset: number;
  bytes: number;
}

/** A file whose bytes are made when they are read. */
export class T5Xxl {
  readonly size: number;
  readonly #header: Buffer;
  readonly #tensors: Tensor[] = [];
  readonly #rows = new Map<string, Buffer>();
  #end = 0;

  constructor() {
    this.#add("token_embd", [VOCABULARY, D_MODEL], "Q6_K", 1);
    this.#add("enc.blk.0.attn_rel_b", [32, HEADS], "F32", 0);
    const of = (columns: number) => 1 / Math.sqrt(columns);
    for (let block = 0; block < LAYERS; block += 1) {
      const middle = block >= LAYERS / 8 && block < (LAYERS * 7) / 8;
      const better = middle && (block - LAYERS / 8) % 3 !== 2 ? "Q4_K" : "Q6_K";
      const part = (name: string, shape: number[], format: Format, deviation: number) =>
        this.#add(`enc.blk.${block}.${name}`, shape, format, deviation);
      // T5 does not divide the scores by √d.
      part("attn_q", [D_MODEL, D_MODEL], "Q4_K", of(D_MODEL * 64));
      part("attn_k", [D_MODEL, D_MODEL], "Q4_K", of(D_MODEL));
      part("attn_v", [D_MODEL, D_MODEL], better, of(D_MODEL));
      part("attn_o", [D_MODEL, D_MODEL], "Q4_K", of(D_MODEL));
      part("attn_norm", [D_MODEL], "F32", 0);
      part("ffn_gate", [D_FF, D_MODEL], "Q4_K", of(D_MODEL));
      part("ffn_up", [D_FF, D_MODEL], "Q4_K", of(D_MODEL));
      part("ffn_down", [D_MODEL, D_FF], better, of(D_FF));
      part("ffn_norm", [D_MODEL], "F32", 0);
    }
    this.#add("enc.output_norm", [D_MODEL], "F32", 0);
    this.#header = this.#writeHeader();
    this.size = this.#header.length + this.#end;
  }

  /** Bytes `start` to `end` (exclusive). */
  read(start: number, end: number): Buffer {
    const bytes = Buffer.alloc(end - start);
    if (start < this.#header.length) this.#header.copy(bytes, 0, start, Math.min(end, this.#header.length));
    const [from, to] = [start - this.#header.length, end - this.#header.length];
    for (const tensor of this.#tensors) {
      const low = Math.max(from, tensor.offset);
      const high = Math.min(to, tensor.offset + tensor.bytes);
      const row = this.#row(tensor);
      for (let at = low; at < high; ) {
        const within = (at - tensor.offset) % row.length;
        const count = Math.min(row.length - within, high - at);
        row.copy(bytes, at - from, within, within + count);
        at += count;
      }
    }
    return bytes;
  }

  /** Where the weights of a layer end; of layer -1, those of the embeddings. */
  endOfLayer(layer: number): number {
    const names = layer < 0 ? /^(token_embd|enc\.blk\.0\.attn_rel_b)/ : new RegExp(`^enc\\.blk\\.${layer}\\.`);
    const last = this.#tensors.findLast(({ name }) => names.test(name));
    return last ? last.offset + last.bytes : 0;
  }

  /** Its entry in a manifest; reads all of it once. */
  entry(file: string): Entry {
    const whole = createHash("sha256");
    const pieces: string[] = [];
    for (let at = 0; at < this.size; at += PIECE) {
      const piece = this.read(at, Math.min(at + PIECE, this.size));
      whole.update(piece);
      pieces.push(createHash("sha256").update(piece).digest("hex"));
    }
    return { file, size: this.size, sha256: whole.digest("hex"), pieces };
  }

  #add(name: string, shape: number[], format: Format, deviation: number): void {
    const { values, bytes } = FORMATS[format];
    const size = (shape.reduce((product, count) => product * count, 1) / values) * bytes;
    this.#tensors.push({ name: `${name}.weight`, shape, format, deviation, offset: this.#end, bytes: size });
    this.#end += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
  }

  /** What a tensor repeats: a row of blocks with random quants. */
  #row({ format, deviation, shape }: Tensor): Buffer {
    const columns = shape.at(-1) ?? 1;
    const key = `${format} ${deviation} ${columns}`;
    const known = this.#rows.get(key);
    if (known) return known;
    const { values, bytes } = FORMATS[format];
    const row = randomBytes((columns / values) * bytes);
    for (let at = 0; at < row.length; at += bytes) {
      if (format === "F32") {
        row.writeFloatLE(1, at);
      } else if (format === "Q4_K") {
        // d, dmin, eight scales and minima of 6 bits, all 32: a value is 32·(d·q − dmin), with dmin = 7.5·d.
        const d = deviation / (32 * 4.61);
        row.writeUInt16LE(half(d), at);
        row.writeUInt16LE(half(7.5 * d), at + 2);
        row.fill(0b1010_0000, at + 4, at + 12);
        row.fill(0, at + 12, at + 16);
      } else {
        // Sixteen scales, all 8, and d behind the quants: a value is 8·d·(q − 32).
        row.fill(8, at + 192, at + 208);
        row.writeUInt16LE(half(deviation / (8 * 18.5)), at + 208);
      }
    }
    this.#rows.set(key, row);
    return row;
  }

  #writeHeader(): Buffer {
    const parts: Buffer[] = [Buffer.from("GGUF")];
    const u32 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      parts.push(bytes);
    };
    const u64 = (value: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      parts.push(bytes);
    };
    const text = (value: string) => {
      u64(Buffer.byteLength(value));
      parts.push(Buffer.from(value));
    };
    const sizes = {
      embedding_length: D_MODEL,
      feed_forward_length: D_FF,
      block_count: LAYERS,
      "attention.head_count": HEADS,
      "attention.key_length": 64,
      "attention.relative_buckets_count": 32,
    };
    u32(3);
    u64(this.#tensors.length);
    u64(Object.keys(sizes).length + 1);
    text("general.architecture");
    u32(8);
    text("t5encoder");
    for (const [key, value] of Object.entries(sizes)) {
      text(`t5encoder.${key}`);
      u32(4);
      u32(value);
    }
    for (const { name, shape, format, offset } of this.#tensors) {
      text(name);
      u32(shape.length);
      for (const count of shape.toReversed()) u64(count);
      u32(FORMATS[format].id);
      u64(offset);
    }
    const header = Buffer.concat(parts);
    return Buffer.concat([header, Buffer.alloc(-header.length & (ALIGNMENT - 1))]);
  }
}

/** The bits of a positive normal number in half precision, rounded down. */
function half(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  const fraction = Math.floor((value / 2 ** exponent - 1) * 1024);
  // Below 2^-14 numbers are subnormal: multiples of 2^-24.
  return exponent < -14 ? Math.floor(value * 2 ** 24) : ((exponent + 15) << 10) | fraction;
}
