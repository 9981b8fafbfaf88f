/** Whether a model is likely to know the script of a prompt: its examples are all that it tells of its language. */

/** Unicode's names of the scripts that are told apart. */
const SCRIPTS = [
  "Latin",
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
  "Cyrillic",
  "Greek",
  "Arabic",
  "Hebrew",
  "Devanagari",
  "Thai",
] as const;

const PATTERNS = new Map(SCRIPTS.map((script) => [script as string, new RegExp(`\\p{Script=${script}}`, "u")]));

/** Whether the text has a letter of the script. */
export function writtenIn(text: string, script: string): boolean {
  return PATTERNS.get(script)?.test(text) ?? false;
}

/** A script in the prompt that no example has; nothing where there are no examples to judge by. */
export function strangeScript(prompt: string, examples: readonly string[]): string | undefined {
  if (examples.length === 0) return undefined;
  const known = examples.join("\n");
  return SCRIPTS.find((script) => writtenIn(prompt, script) && !writtenIn(known, script));
}
