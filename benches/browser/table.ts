/** The table as it is printed: milliseconds of each engine, how much faster ours is, and notes. */

import type { Outcome } from "./page/main.ts";
import { median, type Row, time, wrong } from "./rows.ts";

const WIDTHS = [34, 11, 11, 11, 10, 10];

export const HEAD = line(["median of runs, ms", "ours", "burn", "ort-web", "burn/ours", "ort/ours"]);

export function row({ name }: Row, outcomes: Record<string, Outcome>): string {
  const times = ["ours", "burn", "ort"].map((engine) => time(outcomes[engine]));
  const [ours, ...peers] = times;
  const ratios = peers.map((peer) => (peer && ours ? `${(peer / ours).toFixed(2)}×` : "–"));
  const cells = times.map((ms) => (ms === undefined ? "–" : ms.toFixed(ms < 100 ? 1 : 0)));
  return [line([name, ...cells, ...ratios]), ...notes(outcomes)].join("\n");
}

/** What each engine did, and why one has no time. */
function notes(outcomes: Record<string, Outcome>): string[] {
  return Object.entries(outcomes).map(([engine, outcome]) => {
    const said =
      "failed" in outcome
        ? `failed: ${outcome.failed}`
        : [
            outcome.note,
            `L2 ${outcome.error.toExponential(1)}`,
            `${outcome.ms.length} turns`,
            ...(wrong(outcome) ? [`wrong, in ${median(outcome.ms).toFixed(0)} ms`] : []),
          ].join(", ");
    return `    ${engine}: ${said}`;
  });
}

function line(cells: string[]): string {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join("");
}
