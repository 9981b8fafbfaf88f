/** The page: reads the form, sends requests to the worker, and shows what comes back. */

import { EngineClient } from "../lib/engine-client.ts";
import type {
  DeviceChoice,
  DeviceInfo,
  EngineOptions,
  FromWorker,
  GenerateRequest,
  ModelCard,
  Progress,
} from "../lib/protocol.ts";
import { duration, megabytes } from "../lib/rate.ts";
import { compile } from "../lib/wasm.ts";
import { ModelsSection } from "./models-section.ts";
import { startOffline } from "./offline.ts";
import { PictureView } from "./picture.ts";
import { ProgressList } from "./progress-list.ts";
import { StageSettingsForm } from "./stage-settings.ts";

type State = "idle" | "loading" | "encoding" | "sampling" | "done" | "error";

const app = element("app", HTMLElement);
const prompt = element("prompt", HTMLTextAreaElement);
const negative = element("negative", HTMLTextAreaElement);
const seed = element("seed", HTMLInputElement);
const generateButton = element("generate", HTMLButtonElement);
const cancelButton = element("cancel", HTMLButtonElement);
const error = element("error", HTMLElement);
const status = element("status", HTMLElement);
const notice = element("notice", HTMLElement);
const profile = element("profile", HTMLElement);
const picture = new PictureView(
  element("picture", HTMLCanvasElement),
  element("frame", HTMLElement),
  element("download", HTMLAnchorElement),
);

let settings: StageSettingsForm | undefined;
let progress: ProgressList | undefined;
let running = false;
let stage = 0;
let started = 0;

const wasm = compile();
const models = new ModelsSection(element("models", HTMLElement), wasm, { open, download, failed });
const engine = new EngineClient(wasm, (id) => models.connect(id), { device: deviceChoice() }, receive);

/** `?profile` asks for what each GPU kernel takes, for developers. */
const profiling = new URLSearchParams(location.search).has("profile");

/** `?device=gpu`, `gpu-half` or `cpu` overrides what the page would choose. */
function deviceChoice(): DeviceChoice {
  const wanted = new URLSearchParams(location.search).get("device");
  return wanted === "gpu" || wanted === "gpu-half" || wanted === "cpu" ? wanted : "auto";
}

/** Opens a model, in place of the one before. */
function open(id: string): void {
  if (running) stop("idle", "");
  settings = undefined;
  error.textContent = "";
  setState("loading", "Opening the model…");
  engine.open(id);
}

/** Opens the model again with another setting of how it runs. */
function configure(change: Partial<EngineOptions>): void {
  if (running) stop("idle", "");
  error.textContent = "";
  if (engine.configure(change)) setState("loading", "Opening the model…");
}

/** Bytes of the model in use that have arrived. */
function download(done: number, total: number): void {
  if (running) progress?.download(done, total);
}

function failed(message: string): void {
  stop("error", "");
  error.textContent = sentence(message);
}

function setState(state: State, text: string): void {
  app.dataset.state = state;
  app.setAttribute("aria-busy", String(running));
  generateButton.disabled = running;
  cancelButton.disabled = !running;
  if (status.textContent !== text) status.textContent = text;
}

function receive(message: FromWorker): void {
  switch (message.kind) {
    case "opened":
      showModel(message.model);
      showDevice(message.device);
      if (!running && app.dataset.state === "loading") setState("idle", "");
      break;
    case "progress":
      if (running) showProgress(message.progress);
      break;
    case "picture":
      picture.show(message.bitmap, message.size, message.png !== undefined);
      if (message.png) picture.save(message.png, message.size);
      break;
    case "done":
      stop("done", `Done in ${duration(performance.now() - started)}.`);
      break;
    case "cancelled":
      if (running) stop("idle", "Cancelled.");
      break;
    case "failed":
      failed(message.message);
  }
}

function showModel(model: ModelCard): void {
  if (settings) return;
  settings = new StageSettingsForm(bodyOf("stages"), element("stop", HTMLSelectElement), model);
  progress = new ProgressList(element("progress", HTMLElement), model);
  element("model", HTMLElement).textContent =
    `Model: ${model.name} ${model.version}, ${megabytes(model.bytes)}, licence ${model.license}`;
  const examples = element("examples", HTMLElement);
  examples.hidden = model.examples.length === 0;
  examples.querySelector("ul")?.replaceChildren(...model.examples.slice(0, 4).map(example));
}

function example(text: string): HTMLLIElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = text;
  button.onclick = () => {
    prompt.value = text;
    prompt.focus();
  };
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function showDevice({ kind, name, software, reason }: DeviceInfo): void {
  const what =
    kind === "cpu" ? "the CPU, in WebAssembly" : software ? `a GPU in software (${name})` : `the GPU (${name})`;
  const line = element("device", HTMLElement);
  line.dataset.device = kind;
  line.textContent = `Runs on ${what}.${reason ? ` ${reason}` : ""}`;
}

function showProgress(event: Progress): void {
  const now = performance.now();
  switch (event.event) {
    case "loading":
      progress?.prepare(stage, "reading weights");
      setState("loading", "Loading the model…");
      break;
    case "compiling":
      progress?.prepare(stage, `preparing the GPU: ${event.done} of ${event.total}`);
      setState("loading", "Preparing the GPU…");
      break;
    case "memory":
      notice.hidden = false;
      notice.textContent = sentence(event.text);
      break;
    case "encoding":
      setState("encoding", "Reading the prompt…");
      break;
    case "notice":
      notice.hidden = false;
      notice.textContent = event.message;
      break;
    case "stage_started":
      stage = event.stage;
      app.dataset.stage = String(event.image_size);
      progress?.start(event.stage, event.steps, now);
      setState("sampling", `Drawing at ${event.image_size} × ${event.image_size}…`);
      break;
    case "step":
      progress?.step(event.stage, event.step, event.steps, now);
      break;
    case "stage_finished":
      progress?.finish(event.stage);
      stage = event.stage + 1;
      break;
    case "profile":
      profile.hidden = false;
      profile.querySelector("pre")?.append(`${event.table}\n\n`);
      break;
    case "resumed":
      notice.hidden = false;
      notice.textContent = `The GPU was lost; the picture goes on at ${event.image_size} × ${event.image_size}.`;
  }
}

function start(): void {
  if (running) return;
  const request = readRequest();
  if (typeof request === "string") {
    error.textContent = request;
    setState("error", "");
    return;
  }
  running = true;
  stage = 0;
  started = performance.now();
  error.textContent = "";
  notice.hidden = true;
  profile.hidden = true;
  profile.querySelector("pre")?.replaceChildren();
  delete app.dataset.stage;
  picture.begin(request.prompt, request.seed ?? 0);
  progress?.reset(Object.keys(request.stages ?? {}).length);
  setState("loading", "Loading the model…");
  // On a phone the picture lies below the form.
  element("frame", HTMLElement).scrollIntoView({ block: "nearest" });
  engine.generate(request);
}

function stop(state: State, text: string): void {
  running = false;
  setState(state, text);
}

function cancel(): void {
  if (!running || cancelButton.disabled) return;
  cancelButton.disabled = true;
  status.textContent = "Cancelling…";
  engine.cancel();
}

/** What the form asks for, or what is wrong with it. */
function readRequest(): GenerateRequest | string {
  const text = prompt.value.trim();
  if (text === "") {
    prompt.focus();
    return "Write a prompt first: say what the picture should show.";
  }
  const number = seed.valueAsNumber;
  if (!Number.isSafeInteger(number) || number < 0) return "The seed must be a whole number from 0 up.";
  const stages = settings?.read() ?? [];
  if (typeof stages === "string") return stages;
  const stopAt = stages.at(-1)?.imageSize;
  const perStage = Object.fromEntries(stages.map(({ imageSize, ...own }) => [imageSize, own]));
  const negativePrompt = negative.value.trim();
  return { prompt: text, negativePrompt, seed: number, stages: perStage, stopAt, profile: profiling };
}

/** Rust's messages begin in lower case, to be read behind a program's name; a file's name stays as it is. */
function sentence(message: string): string {
  const text = message.replace(/^[a-z](?=[a-z]*[ ,:])/, (letter) => letter.toUpperCase());
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}

function rollSeed(): void {
  seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

function bodyOf(table: string): HTMLTableSectionElement {
  return element(table, HTMLTableElement).tBodies[0] ?? element(table, HTMLTableElement).createTBody();
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

element("form", HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  start();
};
cancelButton.onclick = cancel;
const gpuMemory = element("gpu-memory", HTMLSelectElement);
gpuMemory.onchange = () => configure({ gpuMemory: Number(gpuMemory.value) * 2 ** 30 || undefined });
const lora = element("lora", HTMLInputElement);
const loraScale = element("lora-scale", HTMLInputElement);
lora.onchange = loraScale.onchange = ({ target }) => {
  const file = lora.files?.[0];
  if (file || target === lora) configure({ adapter: file && { file, scale: loraScale.valueAsNumber } });
};
element("lora-remove", HTMLButtonElement).onclick = () => {
  lora.value = "";
  configure({ adapter: undefined });
};
element("dice", HTMLButtonElement).onclick = rollSeed;
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    start();
  } else if (event.key === "Escape") {
    cancel();
  }
});
rollSeed();
/** `?model=ADDRESS` opens that model instead of the one that ships. */
models.start(new URLSearchParams(location.search).get("model"));
startOffline({});
