/** What the networks run on, and what to do where it could be faster. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { DeviceInfo } from "../lib/protocol.ts";
import { t } from "./i18n/index.ts";
import { said } from "./said.ts";
import { told, type Words } from "./words.ts";

/** `memory`: what the open model takes. */
export function deviceView(device: DeviceInfo | undefined, memory: Words | undefined): TemplateResult {
  if (!device) return html`<p id="device">${t.lookingForGpu}</p>`;
  const { kind, name, software } = device;
  const what = kind === "cpu" ? t.theCpu : software ? t.softwareGpu(name) : t.theGpu(name);
  const webGpu = "gpu" in navigator;
  return html`
    <p id="device" data-device=${kind}>${t.runsOn(what)} ${device.reason ? said(told({ message: device.reason, why: device.why })) : nothing}</p>
    <p id="memory" class="hint">${memory ? said(memory) : nothing}</p>
    ${
      kind === "cpu"
        ? html`<details id="webgpu">
            <summary>${webGpu ? t.helpSlow : t.helpMissing}</summary>
            <p>${t.helpIntro}</p>
            <dl class="hints">
              ${help().map(([browser, text]) => html`<div><dt>${browser}</dt><dd>${text}</dd></div>`)}
            </dl>
          </details>`
        : nothing
    }
  `;
}

/** Browser by browser; the visitor's own comes first. */
function help(): [string, string][] {
  const all: [string, RegExp, string][] = [
    ["Chrome, Edge", /Chrome\//, t.helpChrome],
    ["Chrome (Linux)", /Linux(?!.*Android).*Chrome\//, t.helpChromeLinux],
    ["Firefox", /Firefox\//, t.helpFirefox],
    ["Safari", /Version\/.*Safari\//, t.helpSafari],
  ];
  const own = ([, pattern]: [string, RegExp, string]) => Number(pattern.test(navigator.userAgent));
  return all.toSorted((a, b) => own(b) - own(a)).map(([name, , text]) => [name, text]);
}
