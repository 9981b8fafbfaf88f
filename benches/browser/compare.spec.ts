/** Drives the page row by row, each in a page of its own, prints the table and checks the bars. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { type Browser, expect, type Page, test } from "@playwright/test";
import type { Outcome } from "./page/main.ts";
import { OUT, selected, shortfalls } from "./rows.ts";
import * as table from "./table.ts";

const wanted = process.env.BENCH ?? "";
const peers = (process.env.BENCH_PEERS ?? "burn,ort").split(",").filter(Boolean);
const runs = Number(process.env.RUNS ?? 3);
const say = (text: string) => process.stdout.write(`${text}\n`);

async function open(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  if (process.env.BENCH_VERBOSE) page.on("console", (message) => say(`    ${message.text().slice(0, 500)}`));
  await page.goto("/");
  await page.waitForFunction(() => "bench" in window);
  return page;
}

/** Versions of what is compared, and where. */
async function facts(browser: Browser): Promise<Record<string, string>> {
  const page = await open(browser);
  const adapter = await page.evaluate(() => window.bench.adapter());
  await page.close();
  const version = (path: string, pattern: RegExp) =>
    pattern.exec(readFileSync(resolve(import.meta.dirname, path), "utf8"))?.[1];
  return {
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    browser: `Chromium ${browser.version()}`,
    adapter,
    burn: version("burn/Cargo.toml", /burn = \{ version = "=([^"]+)/) ?? "",
    "onnxruntime-web": version("../../package.json", /"onnxruntime-web": "([^"]+)/) ?? "",
  };
}

test("rows of the table", async ({ browser }) => {
  const rows = selected(wanted);
  const about = await facts(browser);
  say(
    `\n${Object.entries(about)
      .map(([key, value]) => `${key}: ${value}`)
      .join("\n")}\n\n${table.HEAD}`,
  );
  const results: Record<string, Record<string, Outcome>> = {};
  const short: string[] = [];
  mkdirSync(OUT, { recursive: true });
  for (const row of rows) {
    const page = await open(browser);
    const asked = [row.name, ["ours", ...peers], runs] as [string, string[], number];
    const outcomes = await page.evaluate((asked) => window.bench.measure(...asked), asked);
    await page.close();
    results[row.name] = outcomes;
    short.push(...shortfalls(row, outcomes));
    say(table.row(row, outcomes));
    // After every row, so that an interrupted run keeps what it has.
    writeFileSync(resolve(OUT, "results.json"), JSON.stringify({ about, date: new Date(), runs, results }, null, 1));
  }
  say(short.length === 0 ? "\nNo row falls short." : `\nFalling short:\n  ${short.join("\n  ")}`);
  expect(short, "rows that fall short").toEqual([]);
});

test("a picture on the GPU", async ({ browser }) => {
  test.skip(wanted !== "" && !wanted.split(",").includes("cascade"));
  const page = await open(browser);
  const steps = Number(process.env.BENCH_STEPS ?? 4);
  const taken = await page.evaluate((steps) => window.bench.cascade(steps), steps);
  say(`\nstorybook on the GPU, ${steps} steps of the 64 × 64 stage, weights' upload and pipelines included:`);
  for (const [what, ms] of taken) say(`  ${what.padEnd(24)} ${(ms / 1000).toFixed(2).padStart(8)} s`);
  await page.close();
});
