export default function (eleventy) {
  // The element looks for a model at models/storybook/ beside the page where no other is named.
  eleventy.addPassthroughCopy({
    "node_modules/imagen-web/dist": "imagen-web",
    "node_modules/imagen-web-storybook/model": "models/storybook",
  });
}
