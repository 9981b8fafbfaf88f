/**
 * Rules for prompts, for a site's author: `Imagen.load({ allowPrompt: blocklist(["…"]) })`.
 *
 * Words are compared as whole words, in any script, without regard to case, width or accents, and an entry may be of several
 * words. That is a help, no guarantee: nobody can list all words for a thing. What a model knows bounds what it draws.
 */

import type { AllowPrompt } from "./api.ts";

/** Refuses prompts with any of these in them. Negative prompts say what is not wanted, so they pass. */
export function blocklist(entries: Iterable<string>): AllowPrompt {
  const blocked = [...entries].map(words).filter((entry) => entry.length > 0);
  return (prompt) => {
    const text = ` ${words(prompt).join(" ")} `;
    const found = blocked.find((entry) => text.includes(` ${entry.join(" ")} `));
    return found ? `this page does not draw “${found.join(" ")}”; try another prompt` : true;
  };
}

/** Lets only prompts through that consist of these words. */
export function allowlist(entries: Iterable<string>): AllowPrompt {
  const allowed = new Set([...entries].flatMap(words));
  return (prompt) => {
    const found = words(prompt).find((word) => !allowed.has(word));
    return found ? `this page does not draw “${found}”; try another prompt` : true;
  };
}

function words(text: string): string[] {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.match(/[\p{L}\p{N}]+/gu) ?? [];
}
