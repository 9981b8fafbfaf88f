/** What every language file has to have: the keys of English, each a text or a function of the same values. */

import type { en } from "./en.ts";

export type Messages = {
  readonly [Key in keyof typeof en]: (typeof en)[Key] extends (...given: infer Given) => string
    ? (...given: Given) => string
    : string;
};
