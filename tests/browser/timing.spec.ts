/** Not a test of right or wrong: how long the page takes on the CPU path. Printed by `make bench`. */

import { test } from "@playwright/test";
import { Studio } from "./studio.ts";

test("from the click to each picture @bench", async ({ page }) => {
  test.setTimeout(1_800_000);
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ seed: 7 });
  await studio.prompt.fill("a red house on a hill at night");
  const start = Date.now();
  await studio.generate.click();
  const seconds = () => ((Date.now() - start) / 1000).toFixed(2).padStart(8);
  for (const size of [64, 256, 1024]) {
    await page.getByRole("img", { name: `(${size} × ${size} pixels)` }).waitFor({ timeout: 1_500_000 });
    process.stdout.write(`  ${String(size).padStart(4)} × ${String(size).padEnd(4)} ${seconds()} s\n`);
  }
});
