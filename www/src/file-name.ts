/** A picture's name as a file: its prompt's letters and digits in any script, joined by hyphens, cut at 60 characters. */

export function fileName(prompt: string, seed: number, size: number): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  const name = Array.from(words.join("-")).slice(0, 60).join("") || "picture";
  return `${name}-${seed}-${size}.png`;
}
