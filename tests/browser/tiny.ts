/** The tiny cascade (16, 32, 64 pixels; random weights) in place of the model that ships: a picture takes milliseconds. */

import { fileURLToPath } from "node:url";
import type { BrowserContext, Page, Route } from "@playwright/test";
import { Studio } from "./studio.ts";

const FOLDER = new URL("tiny/", import.meta.url);
export const SIZES = [16, 32, 64] as const;

/** `before` may hold a file back, or answer for it itself and say so by `true`. */
export async function serveTiny(
  where: BrowserContext | Page,
  before: (file: string, route: Route) => Promise<unknown> = async () => {},
): Promise<void> {
  await where.route("**/models/storybook/*", async (route) => {
    const file = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    if ((await before(file, route)) === true) return;
    await route.fulfill({ path: fileURLToPath(new URL(file, FOLDER)) });
  });
}

/** The page with that cascade, open. */
export async function openTiny(page: Page, query = "?device=cpu"): Promise<Studio> {
  await serveTiny(page);
  await page.goto(query);
  const studio = new Studio(page);
  await studio.expectState("idle");
  return studio;
}
