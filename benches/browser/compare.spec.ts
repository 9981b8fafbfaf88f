/** Drives the engines row by row, each in a browser of its own, prints the table and checks the bars. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Browser, expect, type Page, test } from "@playwright/test";
import type { Asked, Loaded, Measured, Outcome } from "./page/main.ts";
import type { Way } from "./page/ort.ts";
import { EQUAL, held, OUT, type Row, selected, shortfalls } from "./rows.ts";
import * as table from "./table.ts";

const wanted = process.env.BENCH ?? "";
const peers = (process.env.BENCH_PEERS ?? "burn,ort").split(",").filter(Boolean);
const runs = Number(process.env.RUNS ?? 3);
/** No row is begun later than this after the start. */
const most = Number(process.env.BENCH_MINUTES ?? 50) * 60_000;
/** Three times that for a network with a bar: without burn it says nothing. */
const tuning = Number(process.env.BENCH_TUNING ?? 2) * 60_000;
/** A first run that takes longer than this is a trial too: compiling is a small part of it. */
const SLOW_MS = 20_000;
/** No turn begins later than this after the first; the slowest rows have fewer turns than were asked for. */
const TURNS_MS = 150_000;
/** How long after the end of its time burn's page may take to say so. */
const GRACE_MS = 30_000;
const STUCK = { failed: "its page does not answer any more" };
const say = (text: string) => process.stdout.write(`${text}\n`);

/** A page in a browser of its own: nothing else ends one that is caught in a loop. */
async function open(browser: Browser): Promise<Page> {
  const { baseURL, launchOptions } = test.info().project.use;
  const own = await browser.browserType().launch(launchOptions ?? {});
  const page = await own.newPage(baseURL ? { baseURL } : {});
  if (process.env.BENCH_VERBOSE) page.on("console", (message) => say(`    ${message.text().slice(0, 500)}`));
  await page.goto("/");
  await page.waitForFunction(() => "bench" in window);
  return page;
}

async function close(page: Page | undefined): Promise<void> {
  await page?.context().browser()?.close();
}

/** Versions of what is compared, and where. */
async function facts(browser: Browser): Promise<Record<string, string>> {
  const page = await open(browser);
  const adapter = await page.evaluate(() => window.bench.adapter());
  await close(page);
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

/** An engine that waits for its turn. */
interface Waiting {
  page: Page;
  measured: Measured;
}

/** Loads an engine into a page, which is closed where that fails; nothing where it has no part in the row. */
async function load(
  browser: Browser,
  asked: Asked,
): Promise<(Loaded & { page: Page }) | { failed: string } | undefined> {
  const page = await open(browser);
  const loading = page.evaluate((asked) => window.bench.load(asked), asked);
  // A page that is caught in a loop does not see itself that its time is over.
  const late = asked.engine === "burn" ? setTimeout(asked.tuning + GRACE_MS, STUCK) : new Promise<never>(() => {});
  const loaded = await Promise.race([loading, late]);
  if (loaded && "first" in loaded) return { ...loaded, page };
  loading.catch(() => {});
  await close(page);
  return loaded;
}

/** Onnxruntime-web in its fastest way through a row, with what is to be said of the others. */
async function fastest(browser: Browser, row: string): Promise<Waiting | { failed: string }> {
  let best: { ms: number; way: Way; note: string; loaded: Loaded & { page: Page } } | undefined;
  const failures: string[] = [];
  const attempt = async (way: Way) => {
    const named = `${way.graph}${way.capture ? ", captured" : ""}`;
    const loaded = await load(browser, { row, engine: "ort", way });
    if (!loaded || "failed" in loaded) {
      failures.push(`${named} failed: ${loaded?.failed}`);
      return;
    }
    const { page, first } = loaded;
    const right = loaded.error <= EQUAL;
    const ms = right && first < SLOW_MS ? await page.evaluate(() => window.bench.turn()) : first;
    if (!right) failures.push(`${named} is wrong: L2 ${loaded.error.toExponential(1)}`);
    else if (typeof ms !== "number") failures.push(`${named} failed: ${ms.failed}`);
    else if (!best || ms < best.ms) {
      await close(best?.loaded.page);
      best = { ms, way, note: [named, loaded.note].filter(Boolean).join(", "), loaded };
      return;
    }
    await close(page);
  };
  const page = await open(browser);
  const graphs = await page.evaluate((row) => window.bench.graphs(row), row);
  await close(page);
  for (const graph of graphs) await attempt({ graph, capture: false });
  // Capture refuses a graph with nodes on the CPU.
  if (best && best.loaded.note === "") await attempt({ graph: best.way.graph, capture: true });
  if (!best) return { failed: failures.join("; ") };
  const { page: waiting, error } = best.loaded;
  return { page: waiting, measured: { ms: [], error, note: [best.note, ...failures].join("; ") } };
}

/** Measures a row with all engines in turns. */
async function measure(browser: Browser, { name }: Row): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  const waiting: (Waiting & { engine: string })[] = [];
  const add = (engine: string, loaded: Waiting | { failed: string }) => {
    outcomes[engine] = "failed" in loaded ? loaded : loaded.measured;
    if ("page" in loaded) waiting.push({ engine, ...loaded });
  };
  const alone = async (asked: Asked) => {
    const loaded = await load(browser, asked);
    if (!loaded) return;
    if ("failed" in loaded) add(asked.engine, loaded);
    else add(asked.engine, { page: loaded.page, measured: { ms: [], error: loaded.error, note: loaded.note } });
  };
  await alone({ row: name, engine: "ours" });
  if (peers.includes("burn")) await alone({ row: name, engine: "burn", tuning: held(name) ? 3 * tuning : tuning });
  if (peers.includes("ort")) add("ort", await fastest(browser, name));
  const start = performance.now();
  for (let run = 0; run < runs && performance.now() - start < TURNS_MS; run++) {
    // Whoever is first in one run is last in the next.
    for (const { engine, page, measured } of run % 2 === 0 ? waiting : [...waiting].reverse()) {
      const ms = await page.evaluate(() => window.bench.turn());
      if (typeof ms === "number") measured.ms.push(ms);
      else outcomes[engine] = ms;
    }
  }
  for (const { page } of waiting) await close(page);
  return outcomes;
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
    const outcomes = await measure(browser, row);
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
  say(`\nstorybook on the GPU, ${steps} steps of the 64 × 64 stage, from the start of each:`);
  for (const [what, ms] of taken) say(`  ${what.padEnd(28)} ${(ms / 1000).toFixed(2).padStart(8)} s`);
  await close(page);
});
