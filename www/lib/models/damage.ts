/** Finding what was changed in storage from outside. */

import { ifFree } from "./locks.ts";
import type { StoredFile } from "./model.ts";
import { pieceRange, sha256Hex } from "./pieces.ts";
import type { Storage } from "./storage.ts";

/** Hashes what is there of the files, but for those that somebody is using, and forgets the pieces that are damaged. */
export async function dropDamaged(storage: Storage, files: StoredFile[]): Promise<void> {
  for (const { key, entry } of files) {
    await ifFree(key, async () => {
      const file = await storage.open(key, entry);
      try {
        const damaged: number[] = [];
        for (const index of file.record.indices().filter((index) => file.record.has(index))) {
          const { start, end } = pieceRange(entry, index);
          const hash = await sha256Hex(new Uint8Array(await file.read(start, end - start)));
          if (file.record.hash(index) !== hash) damaged.push(index);
        }
        file.drop(damaged);
      } finally {
        file.close();
      }
    });
  }
}
