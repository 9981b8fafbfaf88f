/** Nothing to set for imagen-web: webpack 5 follows `new URL(…, import.meta.url)` by itself. */
export default { mode: "production", performance: { hints: false } };
