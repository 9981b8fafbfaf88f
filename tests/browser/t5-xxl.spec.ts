/**
 * storybook with a text encoder of T5-XXL's size, in the page: fetched by ranges, verified, kept on the disk, and run layer
 * by layer without ever being whole in memory.
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import { type Entry, PIECE } from "./fake-model.ts";
import { longestTask } from "./main-thread.ts";
import { ModelServer, type Served } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";
import { onDisk } from "./on-disk.ts";
import { Studio } from "./studio.ts";
import { T5Xxl } from "./t5-xxl.ts";

const MIB = 1024 * 1024;
const STORYBOOK = new URL("../../models/storybook/", import.meta.url);
/** A prompt is cut to these: a software adapter would take long with DeepFloyd IF's 77. */
const TOKENS = 8;
const LAYERS = 2;

declare global {
  interface Window {
    /** Bytes that were read for the text encoder since it runs. */
    read: number;
  }
}

/** Keeps hold of a worker's WASM memory. It never shrinks, so its size is its peak. */
const WATCHED = `
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    self.heap = (made.instance ?? made).exports.memory;
    return made;
  };`;

function model(encoder: T5Xxl): { files: Map<string, Buffer | Served>; entry: Entry; bytes: number } {
  const files = new Map<string, Buffer | Served>();
  for (const name of readdirSync(STORYBOOK)) files.set(name, readFileSync(new URL(name, STORYBOOK)));
  const manifest = JSON.parse(String(files.get("imagen.json")));
  const entry = encoder.entry("text_encoder.gguf");
  manifest.name = "xxl";
  manifest.text_encoder = entry;
  manifest.tokenizer.max_length = TOKENS;
  files.set(entry.file, encoder);
  files.set("imagen.json", Buffer.from(JSON.stringify(manifest)));
  // The tokenizer is that of the model that ships, which the page has already.
  const fetched: Entry[] = [entry, ...manifest.stages.map((stage: { weights: Entry }) => stage.weights)];
  return { files, entry, bytes: fetched.reduce((sum, { size }) => sum + size, 0) };
}

/** The sizes of the workers' WASM memories, in MiB. */
async function heaps(page: Page): Promise<number[]> {
  const memory = () => (self as unknown as { heap: WebAssembly.Memory }).heap.buffer.byteLength;
  return (await Promise.all(page.workers().map((worker) => worker.evaluate(memory)))).map((bytes) => bytes / MIB);
}

test("T5-XXL, 2.9 GB, is fetched, verified and begun, in 256 MiB of WASM memory @slow", async () => {
  test.setTimeout(1_200_000);
  const encoder = new T5Xxl();
  const { files, entry, bytes } = model(encoder);
  const server = await ModelServer.start(files);
  await onDisk(async (context) => {
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.read = 0;
      // What the engine's worker tells: first that the encoder is loaded, then that it encodes, and what it reads meanwhile.
      const { Worker } = window;
      window.Worker = class extends Worker {
        constructor(...given: ConstructorParameters<typeof Worker>) {
          super(...given);
          let encoding = false;
          this.addEventListener("message", ({ data }) => {
            if (data.kind !== "progress") return;
            if (data.progress.event === "encoding") encoding = true;
            if (encoding && data.progress.event === "loading") window.read = data.progress.done;
          });
        }
      };
    });
    await page.route(/assets\/(store-)?worker-.*\.js/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${WATCHED}\n${await response.text()}` });
    });
    const browser = context.browser();
    if (!browser) throw new Error("a context has a browser");
    const models = new ModelsPage(page);
    const studio = new Studio(page);
    const seconds: number[] = [];
    const longest = await longestTask(browser, page, async () => {
      await models.open("?device=gpu");
      const start = Date.now();
      await models.add(server.url);
      await models.expectState("xxl", "whole", 800_000);
      seconds.push((Date.now() - start) / 1000);
      await models.click("Open", "xxl");
      await studio.expectState("idle");
      await studio.set({ seed: 7, stopAfter: 64 });
      await page.getByRole("combobox", { name: "GPU memory that may be used" }).selectOption("2 GiB");
      await studio.expectState("loading");
      await studio.expectState("idle");
      await page.getByRole("spinbutton", { name: "Guidance for 64 × 64" }).fill("1");
      await studio.prompt.fill("a red house");
      await studio.generate.click();
      await expect(page.getByText("the text encoder runs layer by layer")).toBeVisible({ timeout: 120_000 });
      // A layer is brought when the one two before it is done.
      const begun = encoder.endOfLayer(LAYERS + 1) - encoder.endOfLayer(-1);
      await page.waitForFunction(
        (begun) => window.read > begun || document.querySelector("[data-state=error]"),
        begun,
        {
          timeout: 600_000,
        },
      );
      seconds.push((Date.now() - start) / 1000 - (seconds[0] ?? 0));
    });
    await expect(studio.alert).toBeEmpty();
    const sizes = await heaps(page);
    // A cancel replaces the worker, which nobody watches any more.
    await page.unrouteAll({ behavior: "wait" });
    await studio.cancel.click();
    await studio.expectState("idle");
    process.stdout.write(
      `  ${(entry.size / 1e9).toFixed(2)} GB: ${seconds[0]?.toFixed(0)} s to fetch, ${seconds[1]?.toFixed(0)} s to open and for ` +
        `${LAYERS} layers; WASM memories ${sizes.map((size) => size.toFixed(0)).join(" and ")} MiB; longest task ${longest.thread} ms\n`,
    );
    expect(sizes).toHaveLength(2);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(256);
    expect(longest.thread).toBeLessThan(50);
    // Every byte once, the encoder's by ranges.
    expect(server.sent).toBe(bytes);
    const starts = server.asked.filter(({ file }) => file === entry.file).map(({ start }) => start / PIECE);
    expect(starts.toSorted((a, b) => a - b)).toEqual([...(entry.pieces ?? []).keys()]);
  });
  await server.stop();
});
