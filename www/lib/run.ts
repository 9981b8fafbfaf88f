/** One generation, as the iterator that its user reads. */

import type { GenerateEvent } from "./api.ts";
import { ImagenError } from "./imagen-error.ts";
import type { GenerateRequest } from "./protocol.ts";

type Result = IteratorResult<GenerateEvent, undefined>;

/** Where runs wait for their turn. */
export interface Queue {
  add(run: Run): void;
  /** Ends a run that waits or is under way. */
  cancel(run: Run): void;
}

/**
 * Written out instead of as a generator function: the `return` of one waits until its last `next` is answered, so a run
 * that is downloading could not be ended.
 */
export class Run {
  readonly request: GenerateRequest;
  readonly #queue: Queue;
  readonly #signal: AbortSignal | undefined;
  readonly #check: () => Promise<void>;
  /** Events that nobody has asked for yet. */
  readonly #events: GenerateEvent[] = [];
  #waiting: PromiseWithResolvers<Result> | undefined;
  #state: "new" | "checking" | "running" | "ended" = "new";
  #error: ImagenError | undefined;
  readonly #settled = Promise.withResolvers<void>();
  readonly #onAbort = () => this.#cancel(this.#signal?.reason);

  /** `check` rejects where the run must not begin. */
  constructor(request: GenerateRequest, queue: Queue, check: () => Promise<void>, signal: AbortSignal | undefined) {
    this.request = request;
    this.#queue = queue;
    this.#check = check;
    this.#signal = signal;
  }

  /** The run as its user has it. Nothing happens before the first event is asked for. */
  iterator(): AsyncGenerator<GenerateEvent, undefined> {
    const iterator: AsyncGenerator<GenerateEvent, undefined> = {
      next: () => this.#next(),
      return: async () => {
        const begun = this.#state !== "new";
        this.#leave();
        if (begun) await this.#settled.promise;
        return { done: true, value: undefined } as const;
      },
      throw: async (error: unknown) => {
        this.#leave();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Something happened. */
  tell(event: GenerateEvent): void {
    if (this.#state === "ended") {
      drop(event);
    } else if (this.#waiting) {
      this.#waiting.resolve({ done: false, value: event });
      this.#waiting = undefined;
    } else {
      // A user who is slow sees fewer previews instead of old ones.
      const old = event.type === "preview" ? this.#events.findIndex(({ type }) => type === "preview") : -1;
      if (old >= 0) drop(...this.#events.splice(old, 1));
      this.#events.push(event);
    }
  }

  /** The engine is done with it. */
  settle(error?: ImagenError): void {
    this.#end(error);
    this.#settled.resolve();
  }

  async #next(): Promise<Result> {
    const event = this.#events.shift();
    if (event) return { done: false, value: event };
    if (this.#state === "new") await this.#start();
    if (this.#state === "ended") {
      const error = this.#error;
      this.#error = undefined;
      if (error) throw error;
      return { done: true, value: undefined };
    }
    // Several may wait for the same event only where a user asks for the next before the last came: they all get it.
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  async #start(): Promise<void> {
    this.#state = "checking";
    if (this.#signal?.aborted) return this.settle(ImagenError.cancelled(this.#signal.reason));
    this.#signal?.addEventListener("abort", this.#onAbort);
    try {
      await this.#check();
    } catch (error) {
      return this.settle(ImagenError.from(error));
    }
    // It may have been ended meanwhile.
    if ((this.#state as string) === "ended") return this.#settled.resolve();
    this.#state = "running";
    this.#queue.add(this);
  }

  /** Its user wants no more of it. */
  #leave(): void {
    drop(...this.#events.splice(0));
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
    this.#cancel(undefined);
    this.#error = undefined;
  }

  #cancel(reason: unknown): void {
    const running = this.#state === "running";
    this.#end(ImagenError.cancelled(reason));
    if (running) this.#queue.cancel(this);
  }

  #end(error: ImagenError | undefined): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) this.#error = error;
    else if (error) waiting.reject(error);
    else waiting.resolve({ done: true, value: undefined });
  }
}

/** Gives back what events hold. */
function drop(...events: GenerateEvent[]): void {
  for (const event of events) if ("bitmap" in event) event.bitmap.close();
}
