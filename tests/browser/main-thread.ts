/**
 * How long the page keeps its main thread busy, from a trace of Chromium.
 *
 * A task's length on the clock includes the time in which another process had the core: on a busy machine a task of
 * 15 ms takes 100. So the trace's thread time is what is measured, which counts only what the thread itself did.
 */

import type { Browser, Page } from "@playwright/test";

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds since some time. */
  ts: number;
  /** Microseconds on the clock and of the thread's own time. */
  dur?: number;
  tdur?: number;
  args?: { beginData?: { url?: string }; data?: { functionName?: string; url?: string; type?: string } };
}

/** The longest task of a thread, in milliseconds: by the thread's own time, and by the clock. */
export interface LongestTask {
  thread: number;
  clock: number;
  /** What took longest in the first of them, and how long. */
  what: string;
}

/** Traces the page while `work` runs; the page must be opened in it. */
export async function longestTask(browser: Browser, page: Page, work: () => Promise<void>): Promise<LongestTask> {
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  let trace: Buffer;
  try {
    await work();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const document = traceEvents.find((event) => event.name === "ParseHTML" && event.args?.beginData?.url === page.url());
  if (!document) throw new Error("the trace has no task that parses the page");
  const tasks = traceEvents.filter(
    (event) => event.pid === document.pid && event.tid === document.tid && event.name.endsWith("RunTask"),
  );
  if (tasks.length === 0) throw new Error("the trace has no task of the page's main thread");
  const longest = (pick: (event: TraceEvent) => number) => tasks.reduce((a, b) => (pick(b) > pick(a) ? b : a));
  const [thread, clock] = [longest(threadTime), longest(({ dur = 0 }) => dur)];
  return { thread: threadTime(thread) / 1000, clock: (clock.dur ?? 0) / 1000, what: within(thread, traceEvents) };
}

function threadTime({ tdur = 0 }: TraceEvent): number {
  return tdur;
}

/** The longest parts of a task, most of them within each other. */
function within({ pid, tid, ts, dur = 0 }: TraceEvent, events: TraceEvent[]): string {
  const parts = events.filter(
    (event) =>
      event.pid === pid && event.tid === tid && event.ts > ts && event.ts < ts + dur && threadTime(event) > 2000,
  );
  const named = parts
    .filter(({ name }) => !name.endsWith("RunTask"))
    .sort((a, b) => threadTime(b) - threadTime(a))
    .slice(0, 6)
    .map((event) => {
      const { functionName = "", url = "", type = "" } = event.args?.data ?? {};
      const about = [type, functionName, url.split("/").at(-1)].filter(Boolean).join(" ");
      return `${event.name}${about && ` (${about})`} ${(threadTime(event) / 1000).toFixed(0)} ms`;
    });
  return named.join(", ");
}
