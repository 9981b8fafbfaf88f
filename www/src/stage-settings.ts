/** Steps and guidance of each stage, and after which one to stop; the manifest's recommendations to begin with. */

import type { ModelCard, StageCard } from "../lib/protocol.ts";

/** The largest guidance scale that Rust takes. */
const MAX_GUIDANCE = 100;

interface StageSettings {
  imageSize: number;
  steps: number;
  guidance: number;
}

interface Inputs {
  stage: StageCard;
  steps: HTMLInputElement;
  guidance: HTMLInputElement;
}

export class StageSettingsForm {
  readonly #inputs: Inputs[];
  readonly #stop: HTMLSelectElement;

  constructor(body: HTMLElement, stop: HTMLSelectElement, model: ModelCard) {
    this.#stop = stop;
    body.replaceChildren();
    this.#inputs = model.stages.map((stage) => {
      const name = `${stage.imageSize} × ${stage.imageSize}`;
      const steps = number(`Steps for ${name}`, stage.steps, 1, stage.maxSteps, 1);
      const guidance = number(`Guidance for ${name}`, stage.guidance, 0, MAX_GUIDANCE, 0.5);
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      const line = document.createElement("tr");
      line.append(head, cell(steps), cell(guidance));
      body.append(line);
      return { stage, steps, guidance };
    });
    stop.replaceChildren(
      ...model.stages.map(({ imageSize }, i) => new Option(`${imageSize} × ${imageSize}`, String(i + 1))),
    );
    stop.value = String(model.stages.length);
  }

  /** The settings of the stages that are to run, or what is wrong with them. */
  read(): StageSettings[] | string {
    const wanted = this.#inputs.slice(0, Number(this.#stop.value));
    for (const { steps, guidance } of wanted) {
      for (const input of [steps, guidance]) {
        if (input.value !== "" && input.checkValidity()) continue;
        return `${input.getAttribute("aria-label")} must be a number from ${input.min} to ${input.max}.`;
      }
    }
    return wanted.map(({ stage: { imageSize }, steps, guidance }) => {
      return { imageSize, steps: steps.valueAsNumber, guidance: guidance.valueAsNumber };
    });
  }
}

function number(label: string, value: number, min: number, max: number, step: number): HTMLInputElement {
  const input = document.createElement("input");
  input.type = "number";
  input.setAttribute("aria-label", label);
  input.min = String(min);
  input.max = String(max);
  input.step = step === 1 ? "1" : "any";
  input.value = String(value);
  return input;
}

function cell(content: HTMLElement): HTMLTableCellElement {
  const td = document.createElement("td");
  td.append(content);
  return td;
}
