/** The page with no network: after one visit it opens, draws and says what it runs on; a newer version is offered. */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { SiteServer } from "./site-server.ts";
import { Studio } from "./studio.ts";

test.use({ serviceWorkers: "allow" });

const DIST = new URL("../../dist/", import.meta.url).pathname;
const TINY = new URL("tiny/", import.meta.url).pathname;

let server: SiteServer;
test.afterEach(async () => server?.stop());

/** The page in a sub-folder, with the tiny cascade as the model that ships. */
function serve(dist: string): Promise<SiteServer> {
  return SiteServer.start({ "/some/folder/": dist, "/some/folder/models/storybook/": TINY });
}

async function kept(page: Page): Promise<void> {
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
}

async function draw(studio: Studio): Promise<void> {
  await studio.prompt.fill("a red house");
  await studio.generate.click();
  await studio.expectState("done", 60_000);
  const seen = await studio.seen();
  expect(seen.size).toBe(64);
  expect(seen.spread).toBeGreaterThan(8);
}

test("after one visit the page opens and draws with the network off", async ({ page, context }) => {
  server = await serve(DIST);
  const studio = new Studio(page);
  const address = `${server.url}some/folder/?device=cpu`;
  await page.goto(address);
  await studio.expectState("idle");
  await draw(studio);
  await kept(page);

  await context.setOffline(true);
  await server.stop();
  await page.goto(address);
  await studio.expectState("idle");
  await draw(studio);
});

test("the documentation opens with the network off, too", async ({ page, context }) => {
  server = await serve(DIST);
  const address = `${server.url}some/folder/`;
  await page.goto(address);
  await kept(page);
  await context.setOffline(true);
  await server.stop();
  await page.goto(`${address}docs/`);
  for (const name of ["Embedding", "API", "Questions"]) {
    await page.getByRole("navigation").getByRole("link", { name }).click();
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    // Its style came, too.
    expect(await page.evaluate(() => document.styleSheets.length)).toBe(1);
  }
  await page.getByRole("link", { name: "The page" }).click();
  await expect(page.locator("#app")).toHaveAttribute("data-state", /idle|error/);
});

test("everything of the page is kept, and nothing of a model", async ({ page }) => {
  server = await serve(DIST);
  await page.goto(`${server.url}some/folder/`);
  await kept(page);
  const urls = await page.evaluate(async () => {
    const caches = await Promise.all((await self.caches.keys()).map((name) => self.caches.open(name)));
    const requests = (await Promise.all(caches.map((cache) => cache.keys()))).flat();
    return requests.map(({ url }) => new URL(url).pathname.replace("/some/folder/", ""));
  });
  const files = readdirSync(DIST, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const page_ = files
    .map(({ parentPath, name }) => join(parentPath, name).slice(DIST.length))
    .filter((path) => !path.startsWith("models/") && path !== "service-worker.js");
  expect(urls.sort()).toEqual(page_.sort());
});

test("a newer version waits until the page takes it", async ({ page }) => {
  const dist = mkdtempSync(join(tmpdir(), "imagen-dist-"));
  cpSync(DIST, dist, { recursive: true, filter: (path) => !path.startsWith(join(DIST, "models")) });
  try {
    server = await serve(dist);
    const address = `${server.url}some/folder/?device=cpu`;
    await page.goto(address);
    await kept(page);
    await page.goto(address);
    const change = (name: string, from: string, to: string) =>
      writeFileSync(join(dist, name), readFileSync(join(dist, name), "utf8").replaceAll(from, to));
    change("index.html", "<title>imagen-web", "<title>newer imagen-web");
    const revision = readFileSync(join(dist, "service-worker.js"), "utf8").match(
      /[`"']index\.html[`"'][^}]*?revision[^\w]+([0-9a-f]{16})/,
    )?.[1];
    change("service-worker.js", revision ?? "no revision", "0123456789abcdef");

    const waiting = () =>
      page.evaluate(async () => {
        const registration = await navigator.serviceWorker.getRegistration();
        await registration?.update();
        return Boolean(registration?.waiting);
      });
    await expect.poll(waiting).toBe(true);
    await page.goto(address);
    expect(await page.title()).toBe("imagen-web");
    await expect(page.locator("#update")).toContainText("There is a newer version of this page.");
    await page.getByRole("button", { name: "Load it" }).click();
    // It loads itself anew.
    await expect(page).toHaveTitle("newer imagen-web");
    await expect(page.locator("#update")).toBeEmpty();
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
});
