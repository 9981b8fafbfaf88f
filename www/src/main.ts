/** The page: puts its parts together, and listens to keys, drops and links. */

import { render } from "lit-html";
import type { DeviceChoice } from "../lib/protocol.ts";
import { Actions } from "./actions.ts";
import type { Composer } from "./composer-view.ts";
import { Gallery } from "./gallery/gallery.ts";
import { startLanguage, t } from "./i18n/index.ts";
import { painted } from "./later.ts";
import { MemoryNeed } from "./memory-need.ts";
import { builtIn } from "./models/built-in.ts";
import { Models } from "./models/models.ts";
import { startOffline } from "./offline.ts";
import { OpenedModel } from "./opened-model.ts";
import { fetchRest, type Parts, page } from "./page.ts";
import { Redraw } from "./redraw.ts";
import { Form, type PartialSettings, type Settings } from "./settings.ts";
import { readLink } from "./share-link.ts";
import { Studio } from "./studio.ts";
import { startTheme } from "./theme.ts";
import { measured, plannedStages, Timing } from "./timing.ts";

const app = document.getElementById("app");
if (!app) throw new Error("index.html has no #app");
const query = new URLSearchParams(location.search);

startTheme();

const redraw = new Redraw(draw);
const changed = redraw.request;
const form = new Form();
const linked = readLink(location.hash);
if (linked) form.apply(linked);
let exampleAt = 0;
let drawn = false;
/** Whether an earlier visit has measured something: then the form has a line for the estimate from the start. */
const returning = measured();
/** The GPU is prepared as soon as the model is there. */
let warming = false;
/** As the file has it, which a newer version may change. */
const { title } = document;
/** The page opens without a network from now on. */
let offline = false;
/** Loads a newer version of the page. */
let update: (() => void) | undefined;

const gallery = new Gallery(changed);
const model = new OpenedModel(deviceChoice(), {
  opening: () => {
    studio.leave();
    studio.report.set("loading", () => t.openingModel);
  },
  opened: (card, device) => {
    const before = form.card;
    if (before?.name !== card.name || before.version !== card.version) {
      form.setModel(card);
      studio.report.track = undefined;
    }
    studio.timing = new Timing(`${card.name} ${card.version}`, device.name);
    if (!studio.running && studio.report.state === "loading") studio.report.set("idle", () => "");
    changed();
  },
  failed: (error) => studio.fail(error),
});
/** `?profile` asks for what each GPU kernel takes, for developers. */
const studio = new Studio(model, form, gallery, query.has("profile"), redraw);
/** `?model=ADDRESS` asks whether to open that model instead of the one that ships. */
const address = query.get("model");
const models = new Models(address, {
  open: (view, id) => {
    studio.address = view?.kind === "url" ? view.origin : undefined;
    model.open(id);
  },
  waiting: (words) => studio.report.set("loading", words),
  asking: () => studio.report.set("idle", () => ""),
  failed: (error) => studio.fail(error),
  changed,
});
const memory = new MemoryNeed(changed);
const actions = new Actions(studio, gallery, take, changed);

function deviceChoice(): DeviceChoice {
  const wanted = query.get("device");
  return wanted === "gpu" || wanted === "gpu-half" || wanted === "cpu" ? wanted : "auto";
}

function composer(): Composer {
  const { missing } = models;
  const settings = model.card ? plannedStages({ stages: stagesOf(), stopAt: form.lastStage }) : [];
  return {
    form,
    card: model.card,
    examples: model.card?.examples ?? (address ? [] : (builtIn?.examples ?? [])),
    running: studio.running,
    cancelling: studio.cancelling,
    error: studio.report.error,
    estimate: settings.length > 0 ? studio.timing?.estimate(settings) : undefined,
    estimated: returning,
    missing: missing ? missing.bytes - missing.held : 0,
    exampleAt,
    generate: () => void generate(),
    cancel: () => studio.cancel(),
    moreExamples: () => {
      exampleAt += 4;
      changed();
    },
    changed,
    configure: (change) => model.configure(change),
  };
}

function stagesOf(): Settings["stages"] {
  const stages = form.readStages();
  return typeof stages === "function" ? {} : stages;
}

async function generate(): Promise<void> {
  actions.say(undefined);
  const begun = studio.start();
  // On a phone the picture lies below the form.
  if (studio.running) document.getElementById("frame")?.scrollIntoView({ block: "nearest" });
  await begun;
}

/** Puts settings into the form. */
function take(settings: PartialSettings): void {
  form.apply(settings);
  changed();
}

function parts(): Parts {
  const { missing } = models;
  return {
    studio,
    model,
    models,
    memory,
    gallery,
    composer: composer(),
    pictureActions: actions,
    galleryActions: {
      view: (kept) => void studio.frame.view(kept),
      exportAll: actions.exportAll,
      clear: actions.clear,
    },
    downloadActions: {
      download: () => {
        warming = true;
        if (!missing || studio.resume()) return;
        // Also where it could not be opened before.
        void model.ready();
        void models.resume(missing.id);
      },
      pause: () => {
        if (studio.running) studio.pause();
        if (missing) void models.pause(missing.id);
      },
      cancel: () => {
        studio.cancel();
        if (missing) void models.pause(missing.id);
      },
    },
    said: actions.said,
    offline,
    update,
    changed,
  };
}

function draw(): void {
  if (!app) return;
  // What the file has in it until the first time.
  if (!drawn) app.replaceChildren();
  drawn = true;
  const guidance = Object.entries(stagesOf()).map(([size, { guidance }]) => [size, { guidance }]);
  const request = { stopAt: form.lastStage, stages: Object.fromEntries(guidance) };
  memory.look(model.imagen, request, !models.missing && !studio.running);
  if (warming && !models.missing) {
    warming = false;
    void studio.warm();
  }
  render(page(parts()), app);
  app.dataset.state = studio.report.state;
  if (studio.report.size === undefined) delete app.dataset.stage;
  else app.dataset.stage = String(studio.report.size);
  const share = studio.running && studio.report.track ? `${Math.round(studio.report.track.share * 100)} % · ` : "";
  document.title = `${share}${title}`;
}

document.addEventListener("keydown", (event) => {
  // An input method's own keys are not for the page.
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void generate();
  } else if (event.key === "Escape") {
    studio.cancel();
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && document.fullscreenElement) {
    void actions.step(event.key === "ArrowRight" ? 1 : -1);
  }
});
/** Text may be dragged into the prompt. */
const holdsFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
document.addEventListener("dragover", (event) => {
  if (holdsFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void actions.takeFrom(file);
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (file) void actions.takeFrom(file);
});
window.addEventListener("hashchange", () => {
  const settings = readLink(location.hash);
  if (settings) take(settings);
});

/** What is seen comes first: nothing else is fetched or computed before it is painted. */
async function start(): Promise<void> {
  await startLanguage();
  changed();
  await painted();
  void models.start();
  gallery.start();
  fetchRest(changed);
  startOffline({
    ready: () => {
      offline = true;
      changed();
    },
    update: (apply) => {
      update = apply;
      changed();
    },
  });
}

void start();
