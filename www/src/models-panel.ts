/** The page's list of models: each with its size, what is there of it, and what can be done. */

import type { ModelView } from "../lib/models/store-protocol.ts";
import { bytesText } from "../lib/rate.ts";
import { Speed } from "./speed.ts";

export interface ModelActions {
  open(id: string): void;
  resume(id: string): void;
  pause(id: string): void;
  remove(id: string): void;
}

interface Row {
  item: HTMLLIElement;
  title: HTMLElement;
  facts: HTMLElement;
  bar: HTMLProgressElement;
  trouble: HTMLElement;
  buttons: Record<keyof ModelActions, HTMLButtonElement>;
  speed: Speed;
}

const LABELS: Record<keyof ModelActions, string> = { open: "Open", resume: "Resume", pause: "Pause", remove: "Delete" };

export class ModelsPanel {
  readonly #list: HTMLElement;
  readonly #actions: ModelActions;
  readonly #rows = new Map<string, Row>();

  constructor(list: HTMLElement, actions: ModelActions) {
    this.#list = list;
    this.#actions = actions;
  }

  /** `opened` is the id of the model that pictures are made with. */
  show(models: ModelView[], opened: string): void {
    for (const [id, row] of this.#rows) {
      if (models.some((model) => model.id === id)) continue;
      row.item.remove();
      this.#rows.delete(id);
    }
    for (const model of models) {
      const row = this.#rows.get(model.id) ?? this.#add(model);
      this.#fill(row, model, model.id === opened);
    }
  }

  #add({ id, name, origin, kind }: ModelView): Row {
    const item = document.createElement("li");
    const [title, facts, trouble] = ["strong", "span", "p"].map((tag) => document.createElement(tag)) as [
      HTMLElement,
      HTMLElement,
      HTMLElement,
    ];
    title.textContent = name;
    title.title = origin;
    facts.className = "figures";
    trouble.className = "trouble";
    trouble.ariaLive = "polite";
    const bar = document.createElement("progress");
    bar.setAttribute("aria-label", `Download of ${name}`);
    const actions = document.createElement("span");
    const button = (action: keyof ModelActions) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "quiet";
      made.textContent = LABELS[action];
      made.setAttribute("aria-label", `${LABELS[action]} ${name}${kind === "built-in" ? " (built in)" : ""}`);
      made.onclick = () => this.#actions[action](id);
      actions.append(made);
      return made;
    };
    const buttons = {
      open: button("open"),
      resume: button("resume"),
      pause: button("pause"),
      remove: button("remove"),
    };
    item.append(title, facts, bar, actions, trouble);
    this.#list.append(item);
    const row = { item, title, facts, bar, trouble, buttons, speed: new Speed() };
    this.#rows.set(id, row);
    return row;
  }

  #fill({ item, facts, bar, trouble, buttons, speed }: Row, model: ModelView, opened: boolean): void {
    const { kind, state, bytes, held } = model;
    const running = state === "downloading" || state === "waiting";
    item.dataset.model = state;
    if (opened) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
    if (state === "downloading") speed.mark(held, performance.now());
    else speed.reset();
    const known: Record<ModelView["state"], string[]> = {
      whole: [bytesText(bytes), kind === "folder" ? "in a folder, until the page is closed" : "on this computer"],
      partial: [
        kind === "built-in"
          ? `${bytesText(bytes)}, loaded when it is used`
          : `${bytesText(held)} of ${bytesText(bytes)}`,
      ],
      waiting: [`${bytesText(bytes)}, another tab is downloading it`],
      downloading: [`${bytesText(held)} of ${bytesText(bytes)}`, speed.text, speed.left(bytes - held)],
    };
    const what = kind === "built-in" ? "built in" : `version ${model.version}`;
    const line = [opened ? "open" : "", what, `licence ${model.license}`, ...known[state]].filter(Boolean).join(" · ");
    if (facts.textContent !== line) facts.textContent = line;
    bar.hidden = state === "whole" || (kind === "built-in" && !running);
    bar.max = Math.max(bytes, 1);
    bar.value = held;
    const said = [model.error, model.note].filter(Boolean).join(" ");
    if (trouble.textContent !== said) trouble.textContent = said;
    buttons.open.hidden = opened || (kind !== "built-in" && state !== "whole");
    buttons.resume.hidden = running || state === "whole" || kind === "built-in";
    buttons.pause.hidden = !running || kind === "built-in";
    buttons.remove.hidden = kind === "built-in" || opened;
  }
}
