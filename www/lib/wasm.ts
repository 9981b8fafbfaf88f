/**
 * The WASM module, compiled once for both workers: in the store's, which lives as long as the page, so that neither its bytes nor
 * its compilation pass through the page's main thread.
 */

const url = new URL("../pkg/imagen_web_bg.wasm", import.meta.url);

export async function compile(): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the server answered ${response.status} for the page's WASM`);
  const streams = response.headers.get("Content-Type")?.startsWith("application/wasm");
  // Some hosts give WASM another type, with which it cannot be compiled while it arrives.
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
