/** The npm packages, built as they are published, with the tiny cascade as the model. */

import { execFileSync } from "node:child_process";
import { join } from "node:path";

export const ROOT = new URL("../../", import.meta.url).pathname;
export const TINY = join(ROOT, "tests/browser/tiny/");
/** Where the built packages and their tarballs lie. */
export const PACKAGES = join(ROOT, "tests/browser/out/npm/");

/** Takes seconds: call it once per file of tests. */
export function buildPackages(): void {
  execFileSync("node", ["packages/build.mjs", "--model", TINY, "--out", PACKAGES], { cwd: ROOT, stdio: "inherit" });
}
