/** Drives the page row by row, each in a page of its own, prints the table and checks the bars. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { type Browser, expect, type Page, test } from "@playwright/test";
import type { Asked, Outcome } from "./page/main.ts";
import type { Trial, Way } from "./page/ort.ts";
import { EQUAL, held, OUT, selected, shortfalls } from "./rows.ts";
import * as table from "./table.ts";

const wanted = process.env.BENCH ?? "";
const peers = (process.env.BENCH_PEERS ?? "burn,ort").split(",").filter(Boolean);
const runs = Number(process.env.RUNS ?? 3);
/** No row is begun later than this after the start. */
const most = Number(process.env.BENCH_MINUTES ?? 50) * 60_000;
const tuning = Number(process.env.BENCH_TUNING ?? 3) * 60_000;
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

/** Onnxruntime-web's fastest way through a row, and what is to be said of it; each is tried in a page of its own. */
async function choose(browser: Browser, name: string): Promise<{ way: Way | undefined; note: string }> {
  const inPage = async <T>(act: (page: Page) => Promise<T>) => {
    const page = await open(browser);
    return act(page).finally(() => page.close());
  };
  const trials: Trial[] = [];
  const failures: string[] = [];
  const attempt = async (way: Way) => {
    const tried = await inPage((page) =>
      page.evaluate(([name, way]) => window.bench.trial(name, way), [name, way] as [string, Way]),
    );
    const named = `${way.graph}${way.capture ? ", captured" : ""}`;
    if ("failed" in tried) failures.push(`${named} failed: ${tried.failed}`);
    else if (!(tried.error <= EQUAL)) failures.push(`${named} is wrong: L2 ${tried.error.toExponential(1)}`);
    else trials.push(tried);
    trials.sort((a, b) => a.ms - b.ms);
  };
  for (const graph of await inPage((page) => page.evaluate((name) => window.bench.graphs(name), name))) {
    await attempt({ graph, capture: false });
  }
  // Capture refuses a graph with nodes on the CPU.
  const plain = trials.find((tried) => tried.placed === "");
  if (plain) await attempt({ graph: plain.graph, capture: true });
  const best = trials[0];
  const said = best
    ? [best.capture ? `${best.graph}, captured` : best.graph, best.placed].filter(Boolean).join(", ")
    : "";
  return { way: best, note: [said, ...failures].filter(Boolean).join("; ") };
}

/** Measures a row with all engines; in a new page without one that is still busy when its time is over. */
async function measure(browser: Browser, asked: Asked): Promise<Record<string, Outcome>> {
  const page = await open(browser);
  const outcomes = await page.evaluate((asked) => window.bench.measure(asked), asked).finally(() => page.close());
  const busy = Object.keys(outcomes).find((name) => {
    const outcome = outcomes[name];
    return outcome && "busy" in outcome && outcome.busy;
  });
  if (!busy) return outcomes;
  const others = asked.engines.filter((name) => name !== busy);
  return { ...(await measure(browser, { ...asked, engines: others })), ...outcomes };
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
  const start = performance.now();
  const left: string[] = [];
  for (const row of rows) {
    if (performance.now() - start > most) {
      left.push(row.name);
      continue;
    }
    const { way, note } = peers.includes("ort") ? await choose(browser, row.name) : { way: undefined, note: "" };
    const outcomes = await measure(browser, { row: row.name, engines: ["ours", ...peers], runs, tuning, way });
    if (way && outcomes.ort && "note" in outcomes.ort) outcomes.ort.note = note;
    else if (peers.includes("ort")) outcomes.ort ??= { failed: note, busy: false };
    results[row.name] = outcomes;
    short.push(...shortfalls(row, outcomes));
    say(table.row(row, outcomes));
    // After every row, so that an interrupted run keeps what it has.
    writeFileSync(resolve(OUT, "results.json"), JSON.stringify({ about, date: new Date(), runs, results }, null, 1));
  }
  const minutes = ((performance.now() - start) / 60_000).toFixed(0);
  say(`\n${rows.length - left.length} rows in ${minutes} minutes.`);
  short.push(...left.filter(held).map((name) => `${name}: not measured in time`));
  if (left.length > 0) say(`Not begun after ${most / 60_000} minutes (BENCH_MINUTES): ${left.join(", ")}`);
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
