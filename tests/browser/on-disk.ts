/** A browser whose storage lies on the disk, as a visitor's does: a private window, what tests get otherwise, keeps it in memory. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, test } from "@playwright/test";

/** Runs `work` in such a browser, with the project's options, and deletes what it stored. */
export async function onDisk(work: (context: BrowserContext) => Promise<void>): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), "imagen-"));
  const { baseURL, launchOptions } = test.info().project.use;
  const { executablePath, args } = launchOptions ?? {};
  const context = await chromium.launchPersistentContext(profile, {
    ...(executablePath ? { executablePath } : {}),
    ...(baseURL ? { baseURL } : {}),
    serviceWorkers: "block",
    // A script that a test has changed counts as one from the internet, which may not load from this machine.
    args: [...(args ?? []), "--disable-features=LocalNetworkAccessChecks"],
  });
  try {
    await work(context);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}
