/** Which rows there are, which were asked for, and what each has to reach. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Outcome } from "./page/main.ts";

export const OUT = resolve(import.meta.dirname, "../../out/bench");

export interface Row {
  name: string;
  group: "ops" | "unet" | "t5";
}

/** Relative L2 distance from PyTorch's output up to which a result counts as equal. */
export const EQUAL = 1e-2;
/** How much faster than the better peer a single operation has to be at least, and a network than each peer. */
const LEAST_OPERATION = 0.95;
const LEAST_NETWORK = 1.5;
/** The networks that are held to it, and against whom. */
const HELD: Record<string, string[]> = {
  "storybook-base-f32": ["burn", "ort"],
  "t5-base-f32": ["ort"],
  "t5-base-q4_0": ["ort"],
};

/** Whether a network has a bar to reach. */
export function held(name: string): boolean {
  return name in HELD;
}

/** The rows that BENCH names, by group or name, separated by commas; all where it is empty. Those with a bar come first. */
export function selected(wanted: string): Row[] {
  const rows = JSON.parse(readFileSync(resolve(OUT, "data/rows.json"), "utf8")) as Row[];
  const names = wanted.split(",").filter(Boolean);
  const chosen = rows.filter((row) => names.length === 0 || names.includes(row.name) || names.includes(row.group));
  const rank = ({ name, group }: Row) => (held(name) ? 0 : group === "ops" ? 1 : 2);
  return chosen.sort((a, b) => rank(a) - rank(b));
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Whether an engine ran with a result that is not PyTorch's. */
export function wrong(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && "ms" in outcome && !(outcome.error <= EQUAL);
}

/** Median milliseconds of an engine whose result was right. */
export function time(outcome: Outcome | undefined): number | undefined {
  return outcome && "ms" in outcome && !wrong(outcome) ? median(outcome.ms) : undefined;
}

/** What ours is compared with: that of a network with a bar counts whatever its result, or a wrong peer would have no time to beat. */
function rival(name: string, outcome: Outcome | undefined): number | undefined {
  return held(name) && outcome && "ms" in outcome && outcome.ms.length > 0 ? median(outcome.ms) : time(outcome);
}

/** Where the row falls short, in words; nothing where it does not or a peer was left out. */
export function shortfalls({ name, group }: Row, outcomes: Record<string, Outcome>): string[] {
  const ours = time(outcomes.ours);
  if (ours === undefined) return "ours" in outcomes ? [`${name}: ours failed or is wrong`] : [];
  const ratios = Object.keys(outcomes)
    .filter((peer) => peer !== "ours")
    .flatMap((peer) => {
      const theirs = rival(name, outcomes[peer]);
      return theirs === undefined ? [] : [{ peer, ratio: theirs / ours }];
    });
  const missing = (HELD[name] ?? []).filter((peer) => peer in outcomes && !ratios.some((ratio) => ratio.peer === peer));
  const least = group === "ops" ? LEAST_OPERATION : LEAST_NETWORK;
  const held = group === "ops" ? ratios : ratios.filter(({ peer }) => HELD[name]?.includes(peer));
  const slow = held.filter(({ ratio }) => ratio < least);
  return [
    ...slow.map(({ peer, ratio }) => `${name}: ${ratio.toFixed(2)}× as fast as ${peer}, to be at least ${least}×`),
    ...missing.map((peer) => `${name}: ${peer} has no time`),
  ];
}
