import { Imagen } from "imagen-web";

const prompt = "a red house on a hill at night";
const status = document.querySelector("[role=status]");
try {
  const imagen = await Imagen.load({ model: "dist/storybook/" });
  for await (const event of imagen.generate({ prompt, seed: 7, previews: 0 })) {
    if (event.type !== "picture") continue;
    const picture = new Image();
    picture.src = URL.createObjectURL(event.png);
    picture.alt = `AI-generated: ${prompt}, ${event.size} pixels`;
    document.body.append(picture);
    event.bitmap.close();
  }
  imagen.close();
  status.textContent = "Done.";
} catch (error) {
  status.textContent = error.message;
}
