/** A text encoder of T5-XXL's size in the page: fetched by ranges, verified, kept on the disk and never whole in memory. */

import { expect, test } from "@playwright/test";
import { FakeModel, PIECE } from "./fake-model.ts";
import { longestTask } from "./main-thread.ts";
import { ModelServer, type Served } from "./model-server.ts";
import { ModelsPage } from "./models-page.ts";
import { onDisk } from "./on-disk.ts";
import { T5Xxl } from "./t5-xxl.ts";

const MIB = 1024 * 1024;

/** Keeps hold of a worker's WASM memory. It never shrinks, so its size is its peak. */
const WATCHED = `
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    self.heap = (made.instance ?? made).exports.memory;
    return made;
  };`;

test("2.9 GB of T5-XXL are fetched and verified while the page stays responsive @slow", async () => {
  test.setTimeout(900_000);
  const encoder = new T5Xxl();
  const model = new FakeModel("xxl", [1, MIB, MIB, MIB]);
  const entry = encoder.entry("text_encoder.gguf");
  model.manifest.text_encoder = entry;
  const files = new Map<string, Buffer | Served>(model.files);
  files.set(entry.file, encoder);
  files.set("imagen.json", Buffer.from(JSON.stringify(model.manifest)));
  const server = await ModelServer.start(files);
  await onDisk(async (context) => {
    const page = await context.newPage();
    await page.route(/assets\/(store-)?worker-.*\.js/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${WATCHED}\n${await response.text()}` });
    });
    const models = new ModelsPage(page);
    const start = Date.now();
    const browser = context.browser();
    const download = async () => {
      await models.open();
      await page.unrouteAll();
      await models.add(server.url);
      await models.expectState("xxl", "whole", 800_000);
    };
    if (!browser) throw new Error("a persistent context has a browser");
    const longest = await longestTask(browser, page, download);
    const seconds = (Date.now() - start) / 1000;
    const heaps = await Promise.all(
      page
        .workers()
        .map((worker) =>
          worker.evaluate(() => (self as unknown as { heap: WebAssembly.Memory }).heap.buffer.byteLength),
        ),
    );
    process.stdout.write(
      `  ${(entry.size / 1e9).toFixed(2)} GB in ${seconds.toFixed(0)} s, ${entry.pieces?.length} pieces; ` +
        `WASM heaps ${heaps.map((bytes) => `${(bytes / MIB).toFixed(0)} MiB`).join(", ")}; longest task ${longest.thread} ms\n`,
    );
    expect(heaps).toHaveLength(2);
    for (const heap of heaps) expect(heap).toBeLessThanOrEqual(256 * MIB);
    expect(longest.thread).toBeLessThan(50);
    // Every byte once, all by ranges.
    const asked = server.asked.filter(({ file }) => file === entry.file);
    expect(asked.map(({ start }) => start / PIECE).toSorted((a, b) => a - b)).toEqual([...(entry.pieces ?? []).keys()]);
    expect(asked.reduce((bytes, { sent }) => bytes + sent, 0)).toBe(entry.size);
  });
  await server.stop();
});
