/**
 * The picture that a run begins with, as a PNG of the size that its first stage takes.
 *
 * A PNG of that size goes to Rust as it is: browsers that blur what a canvas gives back, against fingerprinting, would
 * change it. Everything else that the browser can read is cut to its middle square and scaled.
 */

import { ImagenError } from "./imagen-error.ts";
import type { PageWhy } from "./why.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes up to the width and height in a PNG's header, and behind them. */
const [WIDTH, END] = [16, 24];

export interface StartPicture {
  png: Uint8Array<ArrayBuffer>;
  /** What was done to it; left out where nothing was. */
  why?: PageWhy;
}

/** @throws ImagenError where the browser cannot read the picture. */
export async function startPicture(picture: Blob, size: number): Promise<StartPicture> {
  if (await isPng(picture, size)) return { png: new Uint8Array(await picture.arrayBuffer()) };
  const whole = await createImageBitmap(picture).catch((cause: unknown) => {
    throw ImagenError.because("request", { code: "startUnreadable" }, { cause });
  });
  const { width, height } = whole;
  const side = Math.min(width, height);
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to scale the picture with");
  context.imageSmoothingQuality = "high";
  // As Rust does with a transparent picture.
  context.fillStyle = "white";
  context.fillRect(0, 0, size, size);
  context.drawImage(whole, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
  whole.close();
  const png = await canvas.convertToBlob({ type: "image/png" });
  return { png: new Uint8Array(await png.arrayBuffer()), why: { code: "startScaled", width, height, size } };
}

async function isPng(picture: Blob, size: number): Promise<boolean> {
  const head = new DataView(await picture.slice(0, END).arrayBuffer());
  if (head.byteLength < END || SIGNATURE.some((byte, at) => head.getUint8(at) !== byte)) return false;
  return head.getUint32(WIDTH) === size && head.getUint32(WIDTH + 4) === size;
}
