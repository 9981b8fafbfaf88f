/** Runs the comparison in headless Chromium: on SwiftShader unless BENCH_ADAPTER is `gpu`. */

import { defineConfig } from "@playwright/test";

const PORT = Number(process.env.BENCH_PORT ?? 4199);
const software = process.env.BENCH_ADAPTER !== "gpu";

export default defineConfig({
  testDir: ".",
  outputDir: "../../out/bench/playwright",
  workers: 1,
  timeout: 0,
  reporter: [["line"]],
  use: {
    baseURL: `http://localhost:${PORT}/`,
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
        ...(software ? ["--use-webgpu-adapter=swiftshader"] : ["--enable-features=Vulkan", "--ignore-gpu-blocklist"]),
      ],
    },
  },
  webServer: {
    command: `../../node_modules/.bin/vite --config vite.config.ts --port ${PORT} --strictPort`,
    url: `http://localhost:${PORT}/`,
    reuseExistingServer: false,
  },
});
