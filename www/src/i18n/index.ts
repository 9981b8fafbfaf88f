/**
 * The page's words: one file per language, with the same keys in each, so that a missing translation does not compile.
 *
 * To add a language, write a file beside `zh.ts` of the type `Messages` and name it in `LANGUAGES`.
 */

import type { Why } from "../../lib/why.ts";
import { en } from "./en.ts";
import type { Messages } from "./messages.ts";

/** Each in its own words, and the script that it is written in. Only English is here from the start. */
const LANGUAGES = {
  en: { name: "English", tag: "en", script: "Latin", load: async (): Promise<Messages> => en },
  zh: {
    name: "简体中文",
    tag: "zh-Hans",
    script: "Han",
    load: async (): Promise<Messages> => (await import("./zh.ts")).zh,
  },
} as const;

export type Language = keyof typeof LANGUAGES;

export const languages = Object.entries(LANGUAGES).map(([id, { name, tag }]) => ({ id: id as Language, name, tag }));

const REMEMBERED = "imagen-language";

/** The words in use; another object after `setLanguage`. */
export let t: Messages = en;
export let language: Language = "en";
/** The language that was asked for last. */
let asked: Language = "en";

/** Resolves when its words are there. Remembers the language for the next visit. */
export async function setLanguage(wanted: Language): Promise<void> {
  try {
    localStorage.setItem(REMEMBERED, wanted);
  } catch {
    // A browser that keeps nothing asks for it again.
  }
  await use(wanted);
}

/** The remembered language, else the first that the browser asks for and the page has, else English. */
export async function startLanguage(): Promise<void> {
  let remembered: string | null = null;
  try {
    remembered = localStorage.getItem(REMEMBERED);
  } catch {
    // As above.
  }
  const wanted = [remembered ?? "", ...navigator.languages].map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  await use(wanted.find(known) ?? "en");
}

/** What the engine or the store of models tells, in the language in use, where that has words of its own for it. */
export function translated(why: Why | undefined): string | undefined {
  // The code chooses the words for these very values. One that is newer than the page has none.
  const say = why && (t.whys?.[why.code] as ((why: Why) => string) | undefined);
  return why && say?.(why);
}

/** The script of the language in use, by its name in Unicode. */
export function ownScript(): string {
  return LANGUAGES[language].script;
}

function known(tag: string): tag is Language {
  return tag in LANGUAGES;
}

async function use(wanted: Language): Promise<void> {
  asked = wanted;
  const { load, tag } = LANGUAGES[wanted];
  try {
    const messages = await load();
    if (asked !== wanted) return;
    t = messages;
  } catch {
    // Its words cannot be had: the page goes on in the language that it has.
    return;
  }
  language = wanted;
  document.documentElement.lang = tag;
}
