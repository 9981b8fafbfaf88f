/** The npm packages as others see them: publint and "are the types wrong" accept the tarballs. */

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { buildPackages, PACKAGES, ROOT } from "./npm-packages.ts";

test.beforeAll(buildPackages);

const BIN = join(ROOT, "node_modules/.bin");

test("publint and attw find nothing in the tarballs", () => {
  const tarballs = readdirSync(PACKAGES).filter((file) => file.endsWith(".tgz"));
  expect(tarballs.map((name) => name.replace(/-\d.*$/, "")).sort()).toEqual(["imagen-web", "imagen-web-storybook"]);
  for (const tarball of tarballs) {
    const path = join(PACKAGES, tarball);
    execFileSync(join(BIN, "publint"), ["--strict", path], { stdio: "inherit" });
    // Modules only: neither `require` nor Node's oldest resolution is meant to work.
    execFileSync(join(BIN, "attw"), [path, "--profile", "esm-only", "--no-color"], { stdio: "inherit" });
  }
});
