/** Real Chromium, headless, on the built page in a sub-folder. Its WebGPU is SwiftShader where there is no GPU. */

import { defineConfig } from "@playwright/test";

/** Another one where a checkout beside this one is being tested too. */
const PORT = Number(process.env.PAGE_PORT ?? 4173);
/** Any depth must do: nothing in the page may know where it lies. */
const FOLDER = "/some/folder/";

export default defineConfig({
  testDir: ".",
  outputDir: "out/results",
  // One worker: two generations at a time would only slow each other down.
  workers: 1,
  timeout: 180_000,
  reporter: [["list"]],
  forbidOnly: Boolean(process.env.CI),
  use: {
    baseURL: `http://localhost:${PORT}${FOLDER}`,
    viewport: { width: 1280, height: 900 },
    // What goes through a service worker is not to be intercepted; the tests about it allow it.
    serviceWorkers: "block",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
      ],
    },
  },
  webServer: {
    command: `node_modules/.bin/vite preview --port ${PORT} --strictPort --base ${FOLDER}`,
    cwd: "../..",
    url: `http://localhost:${PORT}${FOLDER}`,
    reuseExistingServer: !process.env.CI,
  },
});
