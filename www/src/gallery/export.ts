/** The gallery as one archive of PNGs, which carry their settings themselves. */

import { makeZip } from "client-zip";
import { fileName } from "../file-name.ts";
import type { Kept } from "./database.ts";

/** Reads one picture after another; nothing is compressed, since a PNG is already. */
export async function archive(list: readonly Kept[], read: (kept: Kept) => Promise<Blob | undefined>): Promise<Blob> {
  const taken = new Map<string, number>();
  async function* entries() {
    for (const kept of list) {
      const input = await read(kept);
      if (!input) continue;
      const name = fileName(kept.settings.prompt, kept.settings.seed, kept.sizes.at(-1) ?? 0);
      const times = taken.get(name) ?? 0;
      taken.set(name, times + 1);
      yield {
        name: times === 0 ? name : name.replace(/\.png$/, `-${times + 1}.png`),
        lastModified: new Date(kept.created),
        input,
      };
    }
  }
  return new Response(makeZip(entries())).blob();
}
