/** Inputs and expected outputs: safetensors, and the way from PyTorch's layout of pictures to channels last. */

import { bytes } from "./engine.ts";

export interface Value {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

export type Values = Map<string, Value>;

/** The name of what an engine has to compute. */
export const OUTPUT = "output";

export async function readValues(url: string): Promise<Values> {
  const file = await bytes(url);
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const values: Values = new Map();
  for (const [name, entry] of Object.entries<{ shape: number[]; data_offsets: [number, number] }>(header)) {
    if (name === "__metadata__") continue;
    const [from, to] = entry.data_offsets.map((offset) => 8 + length + offset) as [number, number];
    values.set(name, { shape: entry.shape, data: new Float32Array(file.slice(from, to).buffer) });
  }
  return values;
}

/** Pictures `[n, c, h, w]` to `[n, h, w, c]`. */
export function channelsLast({ shape, data }: Value): Float32Array {
  const [n, c, h, w] = shape as [number, number, number, number];
  return transposed(data, n, c, h * w);
}

/** Pictures of this shape (`[n, c, h, w]`) that lie as `[n, h, w, c]`, back. */
export function channelsFirst(data: Float32Array, shape: number[]): Float32Array {
  const [n, c, h, w] = shape as [number, number, number, number];
  return transposed(data, n, h * w, c);
}

/** Each of `n` matrices of `rows` by `columns`, transposed. */
function transposed(data: Float32Array, n: number, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let image = 0; image < n; image++) {
    const base = image * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        out[base + column * rows + row] = data[base + row * columns + column] ?? 0;
      }
    }
  }
  return out;
}

/** ‖actual − expected‖ / ‖expected‖ */
export function distance(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, norm] = [0, 0];
  for (const [index, value] of expected.entries()) {
    difference += ((actual[index] ?? Number.NaN) - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(difference / norm);
}
