/**
 * The model that ships, as the build of the page knew it: what is said of it before anything of it is read, so that the first
 * picture of the page is its last. What the manifest says counts as soon as it is there.
 */

import { BUILT_IN, type ModelView } from "../../lib/models/store-protocol.ts";

/** The part of a manifest that is told to a visitor. */
export interface BuiltIn {
  name: string;
  version: string;
  license: string;
  bytes: number;
  examples: string[];
}

/** Put in by the build; null where it had no model. */
declare const BUILT_IN_MODEL: BuiltIn | null;

export const builtIn: BuiltIn | undefined = BUILT_IN_MODEL ?? undefined;

const KEY = "imagen-built-in";

/** How the list of models probably begins: without the model, or with it where it was there on the last visit. */
export function expected(): ModelView[] {
  if (!builtIn) return [];
  const { name, version, license, bytes } = builtIn;
  const whole = wasWhole();
  const [state, held] = whole ? (["whole", bytes] as const) : (["partial", 0] as const);
  const unknown = { origin: "", revision: "", error: undefined, note: undefined, newer: undefined };
  return [{ id: BUILT_IN, kind: BUILT_IN, name, version, license, bytes, state, held, ...unknown }];
}

/** For the next visit. */
export function remember(model: ModelView): void {
  const whole = model.state === "whole";
  if (whole === wasWhole()) return;
  try {
    if (whole) localStorage.setItem(KEY, "whole");
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing has no model either.
  }
}

function wasWhole(): boolean {
  try {
    return localStorage.getItem(KEY) === "whole";
  } catch {
    return false;
  }
}
