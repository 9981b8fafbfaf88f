/** What every language file has to have: the keys of English, each a text or a function of the same values. */

import type { Whys } from "../../lib/why.ts";
import type { en } from "./en.ts";

type Keys = Exclude<keyof typeof en, "whys">;

export type Messages = {
  readonly [Key in Keys]: (typeof en)[Key] extends (...given: infer Given) => string
    ? (...given: Given) => string
    : string;
} & {
  /** Words for the codes of what the engine and the store of models tell; left out for English, which they speak themselves. */
  readonly whys: Whys | undefined;
};
