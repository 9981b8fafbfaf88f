/** The documentation's pages: Markdown as GitHub shows it, with links that lead to the pages made of it. */

import { IdAttributePlugin } from "@11ty/eleventy";

/** Pages from elsewhere in the repository. */
const ELSEWHERE = { "../benches/browser/README.md": "benchmark.md" };

/** A link as the site has it; nothing for one that leads out of it. */
function link(href) {
  const inside = ELSEWHERE[href] ?? href;
  if (/^[a-z]+:/i.test(inside) || inside.startsWith("#")) return inside;
  if (inside.startsWith("../models/")) return inside;
  if (/^\.\.\/(?!index\.md|element|imagen)/.test(inside)) return undefined;
  return inside.replace(/\.md(?=#|$)/, ".html");
}

/** Rewrites the links of a page; what leads out of the site stays as text. */
function links(markdown) {
  markdown.core.ruler.push("links", (state) => {
    for (const token of state.tokens) {
      // A wide table scrolls, which has to work by keyboard too.
      if (token.type === "table_open") token.attrSet("tabindex", "0");
    }
    for (const { children } of state.tokens) {
      const left = [];
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const href = link(token.attrGet("href"));
          if (href) token.attrSet("href", href);
          else token.hidden = true;
          left.push(href);
        }
        if (token.type === "link_close" && !left.pop()) token.hidden = true;
        if (token.hidden) Object.assign(token, { type: "text", tag: "", content: "", nesting: 0 });
      }
    }
  });
}

export default function (eleventy) {
  eleventy.amendLibrary("md", (markdown) => links(markdown));
  eleventy.addPlugin(IdAttributePlugin);
  eleventy.addGlobalData("layout", "page.html");
  eleventy.addGlobalData(
    "eleventyComputed.permalink",
    () =>
      ({ page }) =>
        `${page.filePathStem}.html`,
  );
  eleventy.addFilter("heading", (html) => (/<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1] ?? "").replace(/<[^>]*>/g, ""));
  // "" at the top, "../" one folder down.
  eleventy.addFilter("up", (stem) => "../".repeat(stem.split("/").length - 2));
  return { markdownTemplateEngine: false, htmlTemplateEngine: "liquid" };
}
