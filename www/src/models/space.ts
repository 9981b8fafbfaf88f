/** Whether there is room for what is to be downloaded. */

import { bytesText } from "../rate.ts";
import { StoreError } from "./store-error.ts";

/** @throws StoreError `space` that says what is needed and what there is, before a byte is fetched in vain. */
export async function requireSpace(needed: number): Promise<void> {
  if (needed <= 0) return;
  const { quota, usage } = await navigator.storage.estimate();
  // A browser that does not say is asked by writing.
  if (quota === undefined || usage === undefined) return;
  const free = Math.max(0, quota - usage);
  if (needed <= free) return;
  const message = `the download needs ${bytesText(needed)}, and this browser has ${bytesText(free)} for this page; delete a model, or free space on the disk`;
  throw new StoreError("space", message);
}
