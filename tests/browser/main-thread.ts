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
  /** Microseconds on the clock and of the thread's own time. */
  dur?: number;
  tdur?: number;
  args?: { beginData?: { url?: string } };
}

/** The longest task of a thread, in milliseconds: by the thread's own time, and by the clock. */
export interface LongestTask {
  thread: number;
  clock: number;
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
  const longest = (pick: (event: TraceEvent) => number) => Math.max(...tasks.map(pick)) / 1000;
  return { thread: longest((event) => event.tdur ?? 0), clock: longest((event) => event.dur ?? 0) };
}
