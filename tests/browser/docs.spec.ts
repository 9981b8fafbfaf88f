/** The documentation that is served with the page: every link leads somewhere, and axe finds nothing. */

import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { SiteServer } from "./site-server.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;

test("every link of the documentation leads somewhere", async ({ page }) => {
  const server = await SiteServer.start({ "/some/folder/": DIST });
  try {
    const base = `${server.url}some/folder/`;
    const seen = new Map<string, Set<string>>();
    const waiting = [`${base}docs/index.html`];
    const wrong: string[] = [];
    const anchors: { from: string; to: string }[] = [];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (seen.has(next)) continue;
      seen.set(next, new Set());
      const response = await page.request.get(next);
      if (!response.ok()) wrong.push(next);
      if (!response.ok() || !next.startsWith(`${base}docs/`) || !next.endsWith(".html")) continue;
      const html = await response.text();
      seen.set(next, new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id ?? "")));
      for (const [, address = ""] of html.matchAll(/(?:href|src)="([^"]+)"/g)) {
        const to = new URL(address.replaceAll("&amp;", "&"), next);
        if (to.origin !== new URL(base).origin) continue;
        if (to.hash) anchors.push({ from: next, to: to.href });
        to.hash = "";
        waiting.push(to.href);
      }
    }
    for (const { from, to } of anchors) {
      const [file = "", id = ""] = to.split("#");
      if (!seen.get(file)?.has(decodeURIComponent(id))) wrong.push(`${from} → ${to}`);
    }
    expect(wrong).toEqual([]);
    const pages = [...seen.keys()].filter((address) => address.includes("/docs/") && address.endsWith(".html"));
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.some((address) => address.endsWith("/GenerateOptions.html"))).toBe(true);
  } finally {
    await server.stop();
  }
});

for (const name of ["index", "embedding", "models", "api/index"]) {
  test(`axe finds nothing in docs/${name}`, async ({ page }) => {
    await page.goto(`docs/${name}.html`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  });
}
