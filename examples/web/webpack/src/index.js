import "imagen-web/element";
import storybook from "imagen-web-storybook";

const picture = document.createElement("imagen-canvas");
picture.model = storybook;
picture.prompt = "a red house on a hill at night";
picture.seed = 7;
picture.controls = true;
picture.autostart = true;
picture.addEventListener("done", ({ detail }) => {
  document.title = `A picture of ${detail.size} pixels`;
});
document.body.append(picture);
