import { Imagen } from "imagen-web";
import storybook from "imagen-web-storybook";

const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
const canvas = document.querySelector("canvas");
let imagen;
let run = new AbortController();

function show({ bitmap, size }) {
  canvas.width = canvas.height = size;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

async function draw(prompt) {
  run.abort();
  run = new AbortController();
  const { signal } = run;
  imagen ??= await Imagen.load({
    model: storybook,
    signal,
    onProgress: (progress) => {
      if (progress.type === "download") status.textContent = `${progress.done} of ${progress.total} bytes`;
    },
  });
  for await (const event of imagen.generate({ prompt, seed: 7, signal })) {
    if (event.type === "step") status.textContent = `${event.size} × ${event.size}: ${event.step} of ${event.steps}`;
    if (event.type === "preview" || event.type === "picture") show(event);
  }
  canvas.ariaLabel = prompt;
  status.textContent = "Done.";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const drawn = draw(new FormData(form).get("prompt"));
  const { signal } = run;
  drawn.catch((error) => {
    // What was given up for another picture has nothing to say any more.
    if (signal === run.signal) status.textContent = error.message;
  });
});
document.querySelector("#cancel").addEventListener("click", () => run.abort());
