/** The page in English. */

export const en = {
  whys: undefined,

  // The page itself
  tagline: "Describe a scene. It is drawn here, on this computer.",
  language: "Language",
  theme: "Colours",
  themeName: (name: "system" | "light" | "dark") => ({ system: "Colours: system", light: "Light", dark: "Dark" })[name],
  staysHere: "Prompts and pictures stay on this computer: nothing is sent anywhere.",
  worksOffline: "This page opens without a network, too.",
  newerVersion: "There is a newer version of this page.",
  loadNewer: "Load it",
  partMissing: "This part of the page could not be fetched. Reload the page to try again.",

  // The form
  prompt: "Prompt",
  promptPlaceholder: "a red house on a hill at night",
  promptMissing: "Write a prompt first: say what the picture should show.",
  examples: "Or start from one of these:",
  moreExamples: "Others",
  seed: "Seed",
  seedWrong: "The seed must be a whole number from 0 up.",
  newSeed: "Draw a new seed",
  keepSeed: "Keep this seed",
  keepSeedHint: "Kept, the same settings give the same picture; otherwise each picture gets a new seed",
  count: "Pictures",
  countHint: (size: number) =>
    `Variations are drawn at ${size} × ${size} first, each with a seed of its own. Pick one, and only that one is enlarged.`,
  generate: "Generate",
  downloadsFirst: (bytes: string) => `downloads ${bytes} first`,
  cancel: "Cancel",
  keys: "Ctrl+Enter generates, Esc cancels.",
  estimate: (time: string, count: number) =>
    count === 1 ? `About ${time} on this computer.` : `About ${time} on this computer for all ${count}.`,

  // The script of a prompt
  strangeScript: (script: string, example: string) =>
    `This model's examples have no ${script} (“${example}”). Its text encoder probably does not know it, so the picture may have nothing to do with these words.`,
  ownScriptUnknown: (example: string) =>
    `This model's examples are not in English (“${example}”), so it probably does not know English prompts.`,
  scriptName: (script: string) => `${script} script`,

  // Advanced settings
  settings: "Settings",
  negativePrompt: "Negative prompt",
  negativeHint: "What the picture should stay away from. Works where guidance is not 1.",
  stopAfter: "Stop after",
  stopHint: "Earlier stages are smaller and much faster. A picture can be enlarged later.",
  steps: "Steps",
  stepsFor: (stage: string) => `Steps for ${stage}`,
  stepsHint: "How often the network looks at the picture. More take longer and often show more detail.",
  guidance: "Guidance",
  guidanceFor: (stage: string) => `Guidance for ${stage}`,
  guidanceHint: "How closely to follow the prompt. At 1 the network is left to itself; high values harden the colours.",
  sampler: "Sampler",
  samplerFor: (stage: string) => `Sampler for ${stage}`,
  samplerName: (name: string) => ({ ddim: "DDIM", ddpm: "DDPM", "dpm++2m": "DPM++ 2M" })[name] ?? name,
  samplerHint:
    "How to get from noise to a picture. DDIM is steady, DPM++ 2M needs fewer steps, DDPM adds fresh noise at every step.",
  thresholding: "Thresholding",
  thresholdingFor: (stage: string) => `Thresholding for ${stage}`,
  thresholdingName: (kind: "dynamic" | "static" | "none") =>
    ({ dynamic: "dynamic", static: "static", none: "none" })[kind],
  thresholdingHint:
    "How colours are kept in range. Dynamic follows each picture and allows high guidance, static cuts at the limit.",
  limit: "Limit",
  limitFor: (stage: string) => `Limit for ${stage}`,
  quantile: "Share",
  quantileFor: (stage: string) => `Share within the limit for ${stage}`,
  outOfRange: (what: string, least: number, most: number) => `${what} must be a number from ${least} to ${most}.`,
  resetStages: "As the model recommends",
  lora: "LoRA (a .safetensors file for this model)",
  loraScale: "Its strength",
  remove: "Remove",
  gpuMemory: "GPU memory that may be used",
  gpuMemoryAuto: "as the program sees fit",

  // The picture
  picture: "Picture",
  placeholder: "Your picture appears here",
  noPicture: "No picture yet",
  pictureOf: (prompt: string, size: number) => `${prompt} (${size} × ${size} pixels)`,
  previewOf: (prompt: string, size: number) => `${prompt} (preview, ${size} × ${size} pixels)`,
  variations: "Variations",
  pick: (number: number, seed: number) => `Pick variation ${number}, seed ${seed}`,
  backToGrid: "Back to the variations",
  backToRunning: "Back to what is being drawn",
  backToLatest: "Back to the latest picture",
  withPicture: "With this picture",
  downloadPng: "Download PNG",
  copy: "Copy",
  copied: "The picture is on the clipboard.",
  notCopied: "The browser did not let the page use the clipboard. Download the picture instead.",
  share: "Share link",
  link: "Open it",
  linkCopied: "A link with the settings is on the clipboard; it holds no picture.",
  linkByHand: "A link with the settings:",
  fullScreen: "Full screen",
  reuse: "Use these settings",
  settingsTaken: "The settings of this picture are in the form.",
  settingsFrom: (file: string) => `The settings of ${file} are in the form.`,
  noSettingsIn: (file: string) => `${file} has no settings in it: only PNG files that were made here do.`,
  deletePicture: "Delete picture",
  laterStages: "Later stages",
  enlargeTo: (size: number) => `Enlarge to ${size} × ${size}`,
  redoFrom: (size: number) => `Redo from ${size} × ${size}`,
  redoHint: "Keeps that stage and draws the later ones again, with the settings as they are now",
  factsOf: (prompt: string, seed: number, size: number, model: string) =>
    `${prompt} · seed ${seed} · ${size} × ${size} · ${model}`,

  // A run
  stages: "Stages",
  promptStage: "Prompt",
  notThisTime: "not this time",
  stepOf: (step: number, steps: number) => `step ${step} of ${steps}`,
  stepsPerSecond: (rate: string) => `${rate} steps/s`,
  secondsPerStep: (rate: string) => `${rate} s/step`,
  timeLeft: (time: string) => `${time} left`,
  openingModel: "Opening the model…",
  loadingModel: "Loading the model…",
  readingWeights: "reading weights",
  preparing: "Preparing the GPU…",
  preparingGpu: (done: number, total: number) => `preparing the GPU: ${done} of ${total}`,
  warming: (done: number, total: number) => `Preparing the GPU for the first picture: ${done} of ${total}…`,
  warm: "Everything is ready for the first picture.",
  readingPrompt: "Reading the prompt…",
  drawingAt: (size: number) => `Drawing at ${size} × ${size}…`,
  variationOf: (number: number, count: number) => `Variation ${number} of ${count}:`,
  cancelling: "Cancelling…",
  cancelled: "Cancelled.",
  paused: "Paused: it goes on when the download does.",
  doneIn: (time: string) => `Done in ${time}.`,
  gpuLost: (size: number) => `The GPU was lost; the picture goes on at ${size} × ${size}.`,
  noModel: "No model is open yet: wait for its download, or open another one.",
  somethingWrong: "That did not work.",
  profile: "Profile",

  // The first visit
  welcome: "Pictures from words, on your own computer",
  welcomeText:
    "A text encoder reads your prompt, and three networks turn noise into a picture, step by step. All of it runs in this browser.",
  welcomeDownload: (name: string, bytes: string, licence: string) =>
    `For that, the model ${name} (${bytes}, licence ${licence}) is downloaded once and kept in this browser. Nothing is fetched before you say so.`,
  modelComes: (name: string) => `The model ${name}`,
  download: (bytes: string) => `Download the model (${bytes})`,
  cancelDownload: "Stop",
  fetchingModel: "Fetching the model…",
  downloadOf: (name: string) => `Download of ${name}`,
  ofBytes: (held: string, all: string) => `${held} of ${all}`,
  perSecond: (bytes: string) => `${bytes}/s`,
  askTitle: "Open a model from elsewhere?",
  askText: (host: string) =>
    `The link that you followed names a model on ${host}. If you agree, this page asks that host for it and downloads it. Do so only if you trust where the link came from.`,
  askYes: "Download and open it",
  askNo: "Use the model of this page",
  addressWrong: (address: string) => `${address} is no address of a model.`,

  // The gallery
  gallery: "Gallery",
  pictures: (count: number) =>
    count === 1 ? "1 picture, in this browser only" : `${count} pictures, in this browser only`,
  galleryEmpty:
    "Finished pictures are kept here, in this browser only. Drop a PNG that was made here anywhere on the page to get its settings back.",
  galleryFull:
    "The browser has no more room for pictures: this one is not kept. Download it, or delete others. What was kept before is still there.",
  galleryTrouble: (reason: string) => `The gallery cannot be used: ${reason}`,
  keptPicture: (prompt: string, seed: number, size: number, when: string) =>
    `${prompt}, seed ${seed}, ${size} × ${size}, ${when}`,
  exportAll: "Export all (zip)",
  exporting: "Packing the pictures…",
  deleteAll: "Delete all",
  deleteAllSure: (count: number) => `Delete all ${count} pictures of the gallery? This cannot be undone.`,
  deleted: "The picture was deleted.",
  undo: "Undo",

  // Models
  models: "Models",
  modelsHint: "what pictures are made with",
  modelLine: (name: string, version: string, bytes: string, licence: string) =>
    `Model: ${name} ${version}, ${bytes}, licence ${licence}`,
  builtIn: "built in",
  builtInName: (name: string) => `${name} (built in)`,
  version: (version: string) => `version ${version}`,
  licence: (licence: string) => `licence ${licence}`,
  opened: "open",
  onThisComputer: "on this computer",
  inFolder: "in a folder, until the page is closed",
  whenUsed: (bytes: string) => `${bytes}, loaded when it is used`,
  otherTabDownloads: "another tab is downloading it",
  open: "Open",
  resume: "Resume",
  pause: "Pause",
  delete: "Delete",
  verify: "Verify",
  verifying: "Verifying…",
  knownFolder: "a folder that was opened before; the browser may ask again",
  forget: "Forget",
  addModel: "Add a model by its address",
  addModelHint:
    "The folder that “imagen convert” made, on any host that allows other pages to read it. Or open it from this computer:",
  add: "Add",
  openFolder: "Open a folder…",
  folderOfModel: "Folder of a model",
  newerModel: (version: string, bytes: string) =>
    `Version ${version} is there: ${bytes} to download. Until all of it is here, this one is used.`,
  newerWhole: "A newer version is here: open it to use it.",
  update: "Update",
  needs: (bytes: string) => `needs ${bytes} to run`,
  nothingKept: "This browser keeps no files for this page: models are gone when it is closed.",

  // The device
  lookingForGpu: "Looking for a GPU…",
  runsOn: (what: string) => `Runs on ${what}.`,
  theCpu: "the CPU, in WebAssembly",
  theGpu: (name: string) => `the GPU (${name})`,
  softwareGpu: (name: string) => `a GPU in software (${name})`,
  gpuNeed: (bytes: string, size: number) => `Up to ${size} × ${size} it takes at most ${bytes} of GPU memory.`,
  cpuNeed: (bytes: string, size: number) =>
    `Up to ${size} × ${size} the networks' weights take at most ${bytes} of memory.`,
  residency: (name: "keep_all" | "drop_text_encoder" | "one_at_a_time" | "stream_text_encoder") =>
    ({
      keep_all: "All parts stay loaded.",
      drop_text_encoder: "The text encoder makes room for the stages.",
      one_at_a_time: "Each part makes room for the next.",
      stream_text_encoder: "Each part makes room for the next, and the text encoder runs layer by layer.",
    })[name],
  budgetOf: (bytes: string) => `It may use ${bytes}.`,
  /** `size` is 0 for reading the prompt. */
  tryingAgain: (size: number) =>
    `Not enough memory ${size === 0 ? "to read the prompt" : `to draw at ${size} × ${size}`}; trying again with less loaded:`,
  helpSlow: "How to use a GPU",
  helpMissing: "How to get WebGPU, which is much faster",
  helpIntro:
    "Pictures are drawn on the CPU, which works everywhere and takes its time. With WebGPU the graphics card does it:",
  helpChrome:
    "On by default since version 113 (Android: 121). Update the browser, and turn on “Use graphics acceleration when available” in Settings › System; chrome://gpu tells what is missing.",
  helpChromeLinux:
    "Where it is not on by default, allow “Unsafe WebGPU Support” and “Vulkan” in chrome://flags, and start the browser again.",
  helpFirefox:
    "On by default since version 141 on Windows and 145 on Macs with Apple's processors; elsewhere set dom.webgpu.enabled in about:config.",
  helpSafari: "On by default since version 26, on macOS, iOS and iPadOS.",
};
