/** Before a model is there: what this is, how much is fetched and from where; while it comes, how far it is. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { ModelView } from "../lib/models/store-protocol.ts";
import { bytesText } from "../lib/rate.ts";
import { t } from "./i18n/index.ts";
import type { Models } from "./models/models.ts";
import { said } from "./said.ts";
import { asTold } from "./words.ts";

export interface DownloadActions {
  download(): void;
  pause(): void;
  cancel(): void;
}

/** Lies over the empty frame; nothing where there is nothing to say. */
export function welcomeView(models: Models, actions: DownloadActions): TemplateResult | undefined {
  if (models.asked) return askView(models, models.asked);
  const { missing } = models;
  if (!missing) return undefined;
  return html`<section id="welcome" aria-labelledby="welcome-title">
    <h2 id="welcome-title">${missing.kind === "built-in" ? t.welcome : t.modelComes(missing.name)}</h2>
    <p>${t.welcomeText}</p>
    <p>${t.welcomeDownload(missing.name, bytesText(missing.bytes), missing.license)}</p>
    ${downloadView(models, missing, actions)}
  </section>`;
}

/** How far the download is, and what can be done about it. */
export function downloadView(models: Models, model: ModelView, actions: DownloadActions): TemplateResult {
  const { id, state, bytes, held, error, name } = model;
  const running = state === "downloading" || state === "waiting";
  // The tokenizer is read when a model is opened: no download to speak of.
  const begun = held > bytes / 20;
  const figures = [
    t.ofBytes(bytesText(held), bytesText(bytes)),
    ...(state === "downloading" ? models.speed(id).words(bytes - held) : []),
    state === "waiting" ? t.otherTabDownloads : "",
  ];
  return html`<div class="download" data-download=${state}>
    ${
      running || begun
        ? html`<progress aria-label=${t.downloadOf(name)} max=${Math.max(bytes, 1)} .value=${held}></progress>
            <span class="figures">${figures.filter(Boolean).join(" · ")}</span>`
        : nothing
    }
    ${error ? html`<p class="trouble">${said(asTold(error))}</p>` : nothing}
    <span class="group">
      ${
        running
          ? html`<button type="button" class="quiet" @click=${actions.pause}>${t.pause}</button>
              <button type="button" class="quiet" @click=${actions.cancel}>${t.cancelDownload}</button>`
          : html`<button type="button" class="primary" @click=${actions.download}>
              ${begun ? t.resume : t.download(bytesText(bytes))}
            </button>`
      }
    </span>
  </div>`;
}

/** An address in a link is somebody else's: nothing is asked of it before the user agrees. */
function askView(models: Models, address: URL): TemplateResult {
  return html`<section id="ask" aria-labelledby="ask-title">
    <h2 id="ask-title">${t.askTitle}</h2>
    <p>${t.askText(address.host)}</p>
    <p class="address">${address.href}</p>
    <span class="group">
      <button type="button" class="primary" @click=${() => models.accept()}>${t.askYes}</button>
      <button type="button" class="quiet" @click=${() => models.decline()}>${t.askNo}</button>
    </span>
  </section>`;
}
