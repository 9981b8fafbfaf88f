import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  // The development server would move the packages' modules away from their workers and files.
  optimizeDeps: { exclude: ["imagen-web", "imagen-web-storybook"] },
});
