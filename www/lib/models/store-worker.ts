/**
 * The store's worker. Apart from the engine's, so that a download neither waits for a picture nor ends with a worker that
 * is replaced.
 */

import init, { readSettings } from "../../pkg/imagen_web.js";
import type { PictureSettings } from "../api.ts";
import { compile } from "../wasm.ts";
import { inEnglish } from "../why.ts";
import { ModelStore } from "./store.ts";
import { StoreError } from "./store-error.ts";
import type { Answer, FileAnswer, FileRequest, FromStore, ToStore } from "./store-protocol.ts";

/** Milliseconds between two lists that are sent while a download runs. */
const PACE = 150;

let store: Promise<ModelStore>;
let telling = 0;
/** Requests of files that are not answered yet. */
const asked = new Set<{ port: MessagePort; call: number }>();

function send(message: FromStore): void {
  self.postMessage(message);
}

/** Sends the list soon, but not for every chunk that arrives. */
function tell(): void {
  if (telling) return;
  telling = self.setTimeout(async () => {
    const { lasting, ...opened } = await store.then((store) => ({ lasting: store.lasting, models: store.views() }));
    telling = 0;
    send({ kind: "models", lasting, ...opened });
  }, PACE);
}

async function start(builtIn: string): Promise<ModelStore> {
  const wasm = await compile();
  send({ kind: "compiled", wasm });
  await init({ module_or_path: wasm });
  return ModelStore.start(new URL(builtIn), tell);
}

async function answer(call: number, work: (store: ModelStore) => Answer | Promise<Answer>): Promise<void> {
  try {
    send({ kind: "done", call, answer: await work(await store) });
  } catch (error) {
    const { kind: reason, message, why } = StoreError.from(error);
    send({ kind: "failed", call, reason, message, why });
  }
}

/** Here, because this worker has the WASM and is never busy for long. */
async function settings(png: Blob): Promise<PictureSettings | undefined> {
  return readSettings(new Uint8Array(await png.arrayBuffer())) as PictureSettings | undefined;
}

async function connect(engine: number, id: string, port: MessagePort): Promise<void> {
  const opened = await store;
  const use = opened.use(engine, id);
  port.onmessage = async ({ data }: MessageEvent<FileRequest>) => {
    switch (data.kind) {
      case "file": {
        const request = { port, call: data.call };
        asked.add(request);
        const result = await opened.file(use, data.name).then(
          (blob): FileAnswer => ({ call: data.call, blob }),
          (error): FileAnswer => {
            const { message, why } = StoreError.from(error);
            return { call: data.call, message, why };
          },
        );
        if (asked.delete(request)) port.postMessage(result);
        break;
      }
      case "prefetch":
        await opened.prefetch(use);
        break;
      case "stop":
        await opened.stop(use);
        break;
      case "recheck":
        // What cannot be read now is found out when it is asked for.
        await opened.recheck(use).catch(() => {});
        break;
    }
  };
}

/** A trap in WASM leaves its promise open for ever and shows only here: whoever waits is told. Anything else ends nothing. */
self.onunhandledrejection = (event) => {
  if (!(event.reason instanceof WebAssembly.RuntimeError)) return;
  event.preventDefault();
  const { message: reason } = StoreError.from(event.reason);
  const why = { code: "storeStopped", reason } as const;
  const answer = { message: inEnglish(why), why };
  send({ kind: "broken", reason });
  for (const { port, call } of asked) port.postMessage({ call, ...answer } satisfies FileAnswer);
  asked.clear();
};

self.onmessage = ({ data }: MessageEvent<ToStore>) => {
  switch (data.kind) {
    case "start":
      store = start(data.builtIn);
      store.then(
        () => send({ kind: "started" }),
        (error: unknown) => send({ kind: "broken", reason: StoreError.from(error).message }),
      );
      break;
    case "add":
      void answer(data.call, (store) => store.add(data.address, data.files, data.fetch));
      break;
    case "folder":
      void answer(data.call, (store) => store.addFolder(data.name, data.files));
      break;
    case "resume":
      void answer(data.call, (store) => {
        store.resume(data.id);
        return data.id;
      });
      break;
    case "pause":
      void answer(data.call, (store) => store.pause(data.id).then(() => data.id));
      break;
    case "remove":
      void answer(data.call, (store) => store.remove(data.id).then(() => data.id));
      break;
    case "whole":
      void answer(data.call, (store) => store.fetched(data.id, data.newest).then(() => data.id));
      break;
    case "verify":
      void answer(data.call, (store) => store.verify(data.id).then(() => data.id));
      break;
    case "settings":
      void answer(data.call, () => settings(data.png));
      break;
    case "connect":
      void connect(data.engine, data.id, data.port);
      break;
    case "leave":
      void store.then((store) => store.leave(data.engine));
      break;
  }
};
