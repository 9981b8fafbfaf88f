/** How the model in use is opened: with a low-rank adapter, and within a budget of GPU memory. */

import { expect, type Page, test } from "@playwright/test";
import { Studio } from "./studio.ts";

/** A file of one adapter of rank 1, all of whose values are the same. */
function adapter(layer: string, width: number): Buffer {
  const bytes = 4 * width;
  const header = JSON.stringify({
    [`unet.${layer}.lora.down.weight`]: { dtype: "F32", shape: [1, width], data_offsets: [0, bytes] },
    [`unet.${layer}.lora.up.weight`]: { dtype: "F32", shape: [width, 1], data_offsets: [bytes, 2 * bytes] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const values = Buffer.from(new Float32Array(2 * width).fill(0.3).buffer);
  return Buffer.concat([length, Buffer.from(header), values]);
}

const choose = (page: Page, layer: string) =>
  page
    .getByLabel("LoRA (a .safetensors file for this model)")
    .setInputFiles({ name: "style.safetensors", mimeType: "application/octet-stream", buffer: adapter(layer, 256) });

test("a LoRA changes the picture, as much as its strength says, until it is removed", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ seed: 5, steps: { 64: 2 }, stopAfter: 64 });
  await studio.prompt.fill("a red house");
  const make = async () => {
    await studio.expectState("idle");
    await studio.generate.click();
    await studio.expectState("done", 60_000);
    return (await studio.pixels()).rgba;
  };
  const plain = await make();
  await choose(page, "mid_block.attentions.0.to_out.0");
  const changed = await make();
  expect(changed.equals(plain)).toBe(false);
  expect((await studio.png()).toString("latin1")).toContain('Model: "storybook 1.0.0 + style.safetensors:1"');
  await page.getByLabel("Its strength").fill("0.5");
  await page.getByLabel("Its strength").blur();
  const weaker = await make();
  expect(weaker.equals(plain) || weaker.equals(changed)).toBe(false);
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  expect((await make()).equals(plain)).toBe(true);
  expect((await studio.png()).toString("latin1")).toContain("Model: storybook 1.0.0,");
});

test("a LoRA of another model is refused in words, and another one can be chosen", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("cpu");
  await studio.set({ seed: 5, steps: { 64: 1 }, stopAfter: 64 });
  await choose(page, "mid_block.attentions.7.to_q");
  await expect(studio.alert).toContainText("Cannot use the adapter style.safetensors: the network has no mid_block");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await studio.prompt.fill("a red house");
  await studio.expectState("idle");
  await studio.generate.click();
  await studio.expectState("done", 60_000);
});

test("a budget of GPU memory is kept to, and what stays loaded is said", async ({ page }) => {
  const studio = new Studio(page);
  await studio.open("gpu");
  await studio.set({ seed: 5, steps: { 64: 1 }, stopAfter: 64 });
  await page.getByLabel("GPU memory that may be used").selectOption("2 GiB");
  await studio.expectState("idle");
  await studio.prompt.fill("a red house");
  await studio.generate.click();
  await studio.expectState("done", 150_000);
  await expect(page.locator("#memory")).toContainText(/takes at most \d+ MiB of GPU memory.*may use 2\.0 GiB/);
});
