/**
 * How long the page keeps its main thread busy, from a trace of Chromium.
 *
 * A task's length on the clock includes the time in which another process had the core: on a busy machine a task of
 * 15 ms takes 100. So the trace's thread time is what is measured, which counts only what the thread itself did. What the test
 * itself asks of the page (looking for elements, reading texts) comes through a channel of its own, and is left out.
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
  args?: {
    beginData?: { url?: string };
    chrome_mojo_event_info?: { mojo_interface_tag?: string };
    data?: { functionName?: string; url?: string; type?: string };
  };
}

/** What a browser's tools say to a page comes as this. */
const DEVTOOLS = "blink.mojom.DevToolsSession";

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
  const thread = traceEvents.filter(({ pid, tid }) => pid === document.pid && tid === document.tid);
  const asked = thread.filter(({ args }) => args?.chrome_mojo_event_info?.mojo_interface_tag === DEVTOOLS);
  if (asked.length === 0) throw new Error("the trace does not tell the test's own work from the page's");
  const tasks = thread.filter((event) => event.name.endsWith("RunTask") && !asked.some(({ ts }) => isIn(event, ts)));
  if (tasks.length === 0) throw new Error("the trace has no task of the page's main thread");
  const longest = (pick: (event: TraceEvent) => number) => tasks.reduce((a, b) => (pick(b) > pick(a) ? b : a));
  const [own, clock] = [longest(threadTime), longest(({ dur = 0 }) => dur)];
  return { thread: threadTime(own) / 1000, clock: (clock.dur ?? 0) / 1000, what: within(own, thread) };
}

function threadTime({ tdur = 0 }: TraceEvent): number {
  return tdur;
}

function isIn({ ts, dur = 0 }: TraceEvent, time: number): boolean {
  return time >= ts && time < ts + dur;
}

/** The longest parts of a task, most of them within each other. */
function within(task: TraceEvent, events: TraceEvent[]): string {
  const named = events
    .filter((event) => isIn(task, event.ts) && threadTime(event) > 2000)
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
