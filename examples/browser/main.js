// The library in a web page: `npx vite examples/browser` (from this repository) serves it.
import { loadModel, openGpu, sampleMultiStep, toImageData } from "ncvsd-gpu";

const status = document.getElementById("status");
const button = document.getElementById("go");
let nextSeed = 0;

/** One sample, [1, height, width] in [-1, 1], as a canvas. */
function draw(values, height, width) {
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  canvas.getContext("2d").putImageData(toImageData(values, [1, height, width]), 0, 0);
  return canvas;
}

async function generate(model) {
  const labels = Array.from({ length: 10 }, (_, i) => i);
  const seeds = labels.map(() => nextSeed++);
  const started = performance.now();
  const { images, shape } = await sampleMultiStep(model, { seeds, labels, ts: [0, 16] });
  const [n, , height, width] = shape;
  const size = height * width;
  const pictures = labels.map((label, i) => {
    const canvas = draw(images.subarray(i * size, (i + 1) * size), height, width);
    canvas.title = model.labels[label];
    return canvas;
  });
  document.getElementById("images").replaceChildren(...pictures);
  status.textContent = `${n} images in ${((performance.now() - started) / 1000).toFixed(2)} s`;
  return images;
}

try {
  const gpu = await openGpu();
  const model = await loadModel(gpu);
  button.disabled = false;
  button.onclick = () => generate(model);
  const images = await generate(model);
  // For programs that drive this page.
  globalThis.result = { adapter: gpu.info.name, images: Array.from(images) };
} catch (error) {
  status.textContent = error.message;
  globalThis.result = { error: error.message };
}
globalThis.dispatchEvent(new Event("generated"));
