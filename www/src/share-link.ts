/**
 * Settings in an address: behind the `#`, so that no server ever sees them. A model that did not come with the page is
 * named in the query, where the page looks for it.
 *
 * `#prompt=a+red+house&seed=7&stop=256&64=25,4,ddim,dynamic:0.95:1.5&256=1,1,ddim,static:4`
 */

import type { StageOptions } from "../lib/api.ts";
import type { Thresholding } from "../lib/protocol.ts";
import type { PartialSettings, Settings } from "./settings.ts";

/** Longer texts are no link's. */
const MAX_TEXT = 10_000;

export function shareLink(settings: Settings, model: string | undefined, page: string): string {
  const url = new URL(page);
  url.search = "";
  if (model) url.searchParams.set("model", model);
  const words = new URLSearchParams({ prompt: settings.prompt });
  if (settings.negativePrompt) words.set("not", settings.negativePrompt);
  words.set("seed", String(settings.seed));
  words.set("stop", String(settings.stopAt));
  for (const [size, stage] of Object.entries(settings.stages)) words.set(size, stageText(stage));
  url.hash = words.toString();
  return url.href;
}

/** The settings in the part of an address behind `#`; nothing where there are none. What makes no sense is left out. */
export function readLink(hash: string): PartialSettings | undefined {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const prompt = words.get("prompt")?.slice(0, MAX_TEXT);
  if (!prompt) return undefined;
  const settings: PartialSettings = { prompt, negativePrompt: words.get("not")?.slice(0, MAX_TEXT) ?? "", stages: {} };
  const [seed, stop] = [whole(words.get("seed")), whole(words.get("stop"))];
  if (seed !== undefined) settings.seed = seed;
  if (stop !== undefined) settings.stopAt = stop;
  for (const [key, value] of words) {
    if (/^\d+$/.test(key) && settings.stages) settings.stages[Number(key)] = readStage(value);
  }
  return settings;
}

function stageText({ steps, guidance, sampler, thresholding }: StageOptions): string {
  return [steps, guidance, sampler, thresholding && Object.values(thresholding).join(":")].join(",");
}

function readStage(text: string): StageOptions {
  const [steps, guidance, sampler, thresholding] = text.split(",");
  const stage: StageOptions = {};
  const [count, scale] = [whole(steps), decimal(guidance)];
  if (count !== undefined) stage.steps = count;
  if (scale !== undefined) stage.guidance = scale;
  if (sampler && isSampler(sampler)) stage.sampler = sampler;
  const read = readThresholding(thresholding ?? "");
  if (read) stage.thresholding = read;
  return stage;
}

function isSampler(text: string): text is NonNullable<StageOptions["sampler"]> {
  return /^(ddpm|ddim(:(0|1|0\.\d+))?|dpm\+\+2m)$/.test(text);
}

function readThresholding(text: string): Thresholding | undefined {
  const [kind, ...numbers] = text.split(":");
  const [first, second] = numbers.map(decimal);
  if (kind === "none") return { kind };
  if (kind === "static" && first !== undefined) return { kind, max: first };
  if (kind === "dynamic" && first !== undefined && second !== undefined) return { kind, quantile: first, max: second };
  return undefined;
}

function whole(text: string | null | undefined): number | undefined {
  const value = decimal(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function decimal(text: string | null | undefined): number | undefined {
  return text && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
