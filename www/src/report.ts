/** What is said while pictures are made: the state, the stage track, and all that a run tells. */

import type { GenerateEvent } from "../lib/api.ts";
import type { MemoryPlan } from "../lib/protocol.ts";
import { t } from "./i18n/index.ts";
import type { Track } from "./track.ts";
import { own, told, type Words } from "./words.ts";

export type State = "loading" | "idle" | "encoding" | "sampling" | "done" | "error";

export class Report {
  state: State = "loading";
  status = own(() => t.lookingForGpu);
  error: Words | undefined;
  notices: Words[] = [];
  /** What the GPU's kernels took, as lines of text in columns. */
  profile = "";
  /** Picture size of the stage that runs or ran last. */
  size: number | undefined;
  track: Track | undefined;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set(state: State, status: () => string): void {
    this.state = state;
    this.status = own(status);
    this.#changed();
  }

  fail(error: Words): void {
    this.error = error;
    this.set("error", () => "");
  }

  /** A new run: what the one before told is over. */
  begin(): void {
    this.error = undefined;
    this.notices = [];
    this.profile = "";
    this.size = undefined;
    this.set("loading", () => t.loadingModel);
  }

  /** `which` says which picture of several it is about. */
  heard(event: GenerateEvent, which: (() => string) | undefined): void {
    const now = performance.now();
    const say = (text: () => string) => () => [which?.() ?? "", text()].filter(Boolean).join(" ");
    switch (event.type) {
      case "loading":
        this.track?.prepare(() => t.readingWeights);
        if (this.state !== "encoding")
          this.set(
            "loading",
            say(() => t.loadingModel),
          );
        break;
      case "compiling":
        this.track?.prepare(() => t.preparingGpu(event.done, event.total));
        this.set(
          "loading",
          say(() => t.preparing),
        );
        break;
      case "memory":
        this.#ranOut(event.plan);
        break;
      case "notice":
        this.notices.push(told(event));
        break;
      case "encoding":
        this.track?.prepare(() => "");
        this.set(
          "encoding",
          say(() => t.readingPrompt),
        );
        break;
      case "stage":
        this.size = event.size;
        this.track?.stage(event.size, event.steps, now);
        this.set(
          "sampling",
          say(() => t.drawingAt(event.size)),
        );
        break;
      case "step":
        this.track?.step(event.size, event.step, event.steps, now);
        break;
      case "profile":
        this.profile += `${event.table}\n\n`;
        break;
      case "resumed":
        this.notices.push(own(() => t.gpuLost(event.size)));
    }
    this.#changed();
  }

  /** A plan that is followed from the beginning stands beside the device. */
  #ranOut({ after, residency }: MemoryPlan): void {
    if (after === null) return;
    const size = after === "prompt" ? 0 : after.stage;
    this.notices.push(own(() => `${t.tryingAgain(size)} ${t.residency(residency)}`));
  }
}
