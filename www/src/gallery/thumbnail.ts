/** The small picture of a list: decoded, scaled and written away from the main thread. */

const WIDTH = 192;

/** @throws where the browser cannot read the picture. */
export async function thumbnail(png: Blob, width: number): Promise<Blob> {
  // One that is small already serves as it is.
  if (width <= WIDTH) return png;
  const bitmap = await createImageBitmap(png, { resizeWidth: WIDTH, resizeHeight: WIDTH, resizeQuality: "medium" });
  const canvas = new OffscreenCanvas(WIDTH, WIDTH);
  canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}
