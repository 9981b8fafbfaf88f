/** One row per stage, and one for the model's download: a bar, the step, the rate and the time left. */

import type { ModelCard } from "../lib/protocol.ts";
import { duration, megabytes, Rate } from "../lib/rate.ts";

interface Row {
  item: HTMLLIElement;
  bar: HTMLProgressElement;
  text: HTMLSpanElement;
}

export class ProgressList {
  readonly #list: HTMLElement;
  readonly #sizes: number[];
  readonly #model: Row;
  readonly #stages: Row[];
  #rate = new Rate();

  constructor(list: HTMLElement, model: ModelCard) {
    this.#list = list;
    this.#sizes = model.stages.map((stage) => stage.imageSize);
    this.#model = row("Model");
    this.#stages = this.#sizes.map((size) => row(String(size), `${size} × ${size}`));
    list.replaceChildren(this.#model.item, ...this.#stages.map((stage) => stage.item));
    this.reset(0);
  }

  /** Empties all rows; the first `stages` of them will run. */
  reset(stages: number): void {
    this.#list.hidden = stages === 0;
    this.#model.item.hidden = true;
    this.#stages.forEach((stage, i) => {
      stage.item.hidden = i >= stages;
      fill(stage, 0, 1, "");
    });
  }

  download(done: number, total: number): void {
    this.#model.item.hidden = false;
    const part = Math.min(done, total);
    fill(this.#model, part, total, part < total ? `${megabytes(part)} of ${megabytes(total)}` : megabytes(total));
  }

  /** Something that happens before a stage's first step. */
  prepare(stage: number, what: string): void {
    const row = this.#stages[stage];
    if (row) row.text.textContent = what;
  }

  start(stage: number, steps: number, now: number): void {
    this.#rate = new Rate();
    this.#rate.mark(0, now);
    const row = this.#stages[stage];
    if (row) fill(row, 0, steps, `step 1 of ${steps}`);
  }

  step(stage: number, step: number, steps: number, now: number): void {
    this.#rate.mark(step, now);
    const row = this.#stages[stage];
    if (!row) return;
    const parts = [`step ${step} of ${steps}`, this.#rate.text, this.#rate.left(steps)];
    fill(row, step, steps, parts.filter(Boolean).join(" · "));
  }

  finish(stage: number): void {
    const row = this.#stages[stage];
    if (row)
      fill(row, row.bar.max, row.bar.max, [duration(this.#rate.elapsed), this.#rate.text].filter(Boolean).join(" · "));
  }
}

function row(name: string, label = name): Row {
  const item = document.createElement("li");
  item.dataset.row = name;
  const title = document.createElement("span");
  title.textContent = label;
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", label);
  const text = document.createElement("span");
  text.className = "figures";
  item.append(title, bar, text);
  return { item, bar, text };
}

function fill({ bar, text }: Row, done: number, total: number, figures: string): void {
  bar.max = Math.max(total, 1);
  bar.value = done;
  text.textContent = figures;
}
