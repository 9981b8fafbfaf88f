/** The gallery as one archive, which a worker makes: the checksums of gigabytes are no work for the page's main thread. */

import type { Exported } from "./export-worker.ts";

/** @throws where the pictures cannot be read, or the browser has no room for the archive. */
export async function archived(): Promise<Blob> {
  const worker = new Worker(new URL("./export-worker.ts", import.meta.url), { type: "module", name: "export" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Exported>) => {
        if ("archive" in data) resolve(data.archive);
        else reject(data.error);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        // Nothing is said of a script that could not be fetched.
        reject(new Error(event.message ?? "export-worker"));
      };
    });
  } finally {
    worker.terminate();
  }
}
