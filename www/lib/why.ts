/**
 * Why something is not as it was asked for, as a code and its values, for a page that says it in its visitor's language. What
 * arises in JavaScript has its English here; what Rust tells comes with it.
 */

import { bytesText } from "./rate.ts";

/** Words for the codes that arise in JavaScript. */
export const english = {
  // Addresses and hosts
  addressWrong: ({ address }: { address: string }) => `${address} is no address of a model; it begins with https://`,
  addressMissing: () => "nothing is no address of a model; it begins with https://",
  addressPassword: () => "an address with a password in it is not used",
  unreachable: ({ host }: { host: string }) => `${host} cannot be reached; check the address and the connection`,
  insecure: ({ host }: { host: string }) =>
    `${host} cannot be reached; a page over https may only load models over https`,
  noCors: ({ host }: { host: string }) =>
    `${host} answers, but does not allow other pages to read its files (CORS): it has to send Access-Control-Allow-Origin`,
  notFound: ({ host, file, status }: Answered) =>
    `${host} has no ${file} there (${status}); check the address, or ask who put the model there`,
  notPublic: ({ host, file, status }: Answered) => `${host} does not give out ${file} to everyone (${status})`,
  refused: ({ host, file, status }: Answered) => `${host} answered ${status} for ${file}; try again later`,
  silent: ({ seconds }: { seconds: number }) =>
    `nothing has come for ${seconds} seconds; check the connection and try again`,
  brokeOff: () => "the connection broke off; check it and try again",
  endedEarly: () => "the file ended early; try again",
  rangesSometimes: ({ host }: { host: string }) => `${host} sends parts of files only sometimes`,
  wholeFilesOnly: () =>
    "This host sends files only whole: a file that is interrupted is received from its beginning again.",

  // What a host or a folder has
  manifestTooLarge: ({ address }: { address: string }) => `${address} is too large for a manifest`,
  manifestRefused: ({ address, reason }: { address: string; reason: string }) => `${address}: ${reason}`,
  hostDamaged: ({ file }: { file: string }) =>
    `${file}: what the host sends is not what the manifest says (SHA-256), also when asked again`,
  hostSize: ({ file, size }: { file: string; size: number }) =>
    `${file}: the host's file has not the ${size} bytes of the manifest`,
  noManifest: ({ folder, file }: { folder: string; file: string }) =>
    `${folder} holds no ${file}: choose the folder of a converted model`,
  folderLacks: ({ folder, file, manifest }: { folder: string; file: string; manifest: string }) =>
    `${folder} holds no ${file}, which its ${manifest} names`,
  folderSize: ({ file, actual, size }: { file: string; actual: number; size: number }) =>
    `${file} has ${actual} bytes instead of ${size}: it is not whole, or of another model`,

  // This browser's storage
  noRoomFor: ({ needed, free }: { needed: number; free?: number | undefined }) =>
    `the download needs ${bytesText(needed)}, ${
      free === undefined ? "more than this browser has" : `and this browser has ${bytesText(free)}`
    } for this page; delete a model, or free space on the disk`,
  noRoom: () => "this browser has no more space for this page; delete a model, or free space on the disk",
  fileBusy: () => "another tab is using this file; close it and try again",
  modelOpen: ({ name }: { name: string }) => `${name} is open: open another model first`,
  modelInOtherTab: ({ name }: { name: string }) => `${name} is in use in another tab: close it first`,
  modelGone: () => "this model is not here any more",
  incomplete: ({ name }: { name: string }) => `${name} is not downloaded whole yet: resume the download first`,
  deleted: () => "it was deleted or damaged meanwhile; resume the model's download",
  cut: ({ file }: { file: string }) => `${file} was cut in this browser's storage; resume the download`,
  notNamed: () => "the manifest does not name it",
  otherModel: () => "another model was opened meanwhile",
  stopped: () => "stopped",

  // The page's own parts
  storeStopped: ({ reason }: { reason: string }) =>
    `The part of the page that keeps models has stopped${inBrackets(reason)}. Reload the page and try again.`,
  engineStopped: ({ reason }: { reason: string }) =>
    `The part of the page that computes has stopped${inBrackets(reason)}. Try again; if that fails too, reload the page.`,
  closed: () => "this Imagen was closed; load it again",
  notDrawn: () => "this page does not draw this prompt; try another one",

  // The picture that a run begins with
  startUnreadable: () => "the picture to start from cannot be read; use a PNG, JPEG or WebP file",
  startScaled: ({ width, height, size }: { width: number; height: number; size: number }) =>
    `The picture to start from was ${width === height ? "" : "cut to its middle square and "}scaled from ${width} × ${height} to ${size} × ${size} pixels.`,
};

interface Answered {
  host: string;
  file: string;
  status: number;
}

type English = typeof english;
type Values<Code extends keyof English> = Parameters<English[Code]> extends [infer Given] ? Given : unknown;

/** What a run was doing: reading the prompt, or the stage of a picture size. */
export type During = "prompt" | { stage: number };

/** Those that JavaScript throws. */
export type PageWhy = { [Code in keyof English]: { code: Code } & Values<Code> }[keyof English];

/** Those that Rust tells, with a reason in English here and there. Sizes are in bytes. */
export type EngineWhy =
  | { code: "badManifest"; reason: string }
  /** `why`: the store's own code for the reason. */
  | { code: "noFile"; name: string; reason: string; why?: PageWhy | undefined }
  | { code: "damagedFile"; name: string }
  | { code: "unusableFile"; reason: string }
  | { code: "adapter"; name: string; reason: string }
  | { code: "partMissing"; part: string }
  | { code: "promptTooLong"; negative: boolean; length: number; max: number }
  | { code: "noNegativePrompt" }
  | { code: "noAdapter"; reason: string }
  | { code: "noDevice"; reason: string }
  | { code: "deviceLost"; during: During }
  | { code: "outOfMemory"; during: During }
  | { code: "gpuMemory"; budget: number; needed: number }
  | { code: "tooLargeForGpu"; needed: number; available: number }
  | { code: "gpuRejected"; reason: string }
  | { code: "computation"; reason: string }
  /** Why a device is no GPU. */
  | { code: "cpuAskedFor" }
  | { code: "softwareGpu"; name: string }
  | { code: "noGpu"; reason: string }
  /** Notices. */
  | { code: "promptCut"; start: string; tokens: number }
  | { code: "noProfile" };

export type Why = PageWhy | EngineWhy;

/** Words for each code. */
export type Whys = { readonly [Code in Why["code"]]: (why: Extract<Why, { code: Code }>) => string };

/** What a visitor is told: in English, and as a code where there is one. */
export interface Told<W = Why> {
  message: string;
  why?: W | undefined;
}

export function inEnglish(why: PageWhy): string {
  // The code chooses the words for these very values.
  return (english[why.code] as (why: PageWhy) => string)(why);
}

function inBrackets(reason: string): string {
  return reason ? ` (${reason})` : "";
}
