/** Packs the gallery: PNGs as they are, which carry their settings themselves. */

import { makeZip } from "client-zip";
import { fileName } from "../file-name.ts";
import { Database } from "./database.ts";

export type Exported = { archive: Blob } | { error: unknown };

/** Reads one picture after another; nothing is compressed, since a PNG is already. */
async function* entries() {
  const database = new Database();
  const taken = new Map<string, number>();
  for (const id of await database.ids()) {
    const [kept] = await database.records([id]);
    const input = kept && (await database.largest(kept));
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

function send(result: Exported): void {
  self.postMessage(result);
}

new Response(makeZip(entries())).blob().then(
  (archive) => send({ archive }),
  (error: unknown) => send({ error }),
);
