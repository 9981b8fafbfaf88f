/** What is said to the user: in the page's language, or as the engine and the store word it, which is English. */

import { sentence } from "../lib/sentence.ts";
import type { Told } from "../lib/why.ts";
import { translated } from "./i18n/index.ts";

export interface Words {
  text: () => string;
  /** English, so a screen reader should read it as that. */
  readonly foreign: boolean;
}

export function own(text: () => string): Words {
  return { text, foreign: false };
}

/** What the engine tells: in the page's language where that has words for it. */
export function told({ message, why }: Told, english = sentence): Words {
  return {
    text: () => translated(why) ?? english(message),
    get foreign() {
      return translated(why) === undefined;
    },
  };
}

/** What the store of models tells, which often begins with a name. */
export function asTold(given: Told): Words {
  return told(given, (message) => message);
}
