/**
 * Room for what is to be downloaded, taken before a byte is fetched.
 *
 * Files are made as long as they will be: browsers count that against the page's quota, and say at once when there is too
 * little. `navigator.storage.estimate()` alone does not tell: Chromium answers with up to 10 GiB more than is used, whatever
 * the disk and the quota are.
 */

import { ifFree } from "./locks.ts";
import type { StoredFile } from "./model.ts";
import type { Storage } from "./storage.ts";
import { StoreError } from "./store-error.ts";

/** @throws StoreError `space` that says what is needed and what there is; nothing is taken then. */
export async function reserve(storage: Storage, files: StoredFile[], needed: number): Promise<void> {
  const before = new Map<StoredFile, number>();
  try {
    for (const file of files) {
      const taken = await resize(storage, file, (taken) => Math.max(taken, file.entry.size));
      if (taken !== undefined) before.set(file, taken);
    }
  } catch (thrown) {
    for (const [file, taken] of before) await resize(storage, file, () => taken);
    const error = StoreError.from(thrown);
    if (error.kind !== "space") throw error;
    const { quota, usage } = await navigator.storage.estimate();
    const free = quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
    const said = free !== undefined && free < needed ? { free } : {};
    throw new StoreError("space", { code: "noRoomFor", needed, ...said }, { cause: error });
  }
}

/** Changes what a file takes up and returns what it was; nothing where another tab writes it, which then sees to that. */
async function resize(storage: Storage, { key, entry }: StoredFile, to: (taken: number) => number) {
  const done = await ifFree(key, async () => {
    const file = await storage.open(key, entry);
    try {
      const { taken } = file;
      if (to(taken) !== taken) file.reserve(to(taken));
      return taken;
    } finally {
      file.close();
    }
  });
  return done?.value;
}
