// Makes the pictures in web/recorded with the page's own code, in Node: `node web/build/record.mjs` after a build of the library.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("../../", import.meta.url));
const server = await createServer({
  configFile: `${root}web/vite.config.mjs`,
  server: { middlewareMode: true, hmr: false, ws: false },
  appType: "custom",
  logLevel: "error",
});
const { encodePng, loadModel, openGpu } = await import(`${root}dist/src/index.js`);
const { readInputs } = await import(`${root}dist/src/data/inputs.js`);
const load = (name) => server.ssrLoadModule(`/src/${name}`);
const [{ restore }, { generate }, { noisy }, { steps, teacher }, { firstMask }] = await Promise.all([
  load("engine/restore.ts"),
  load("engine/generate.ts"),
  load("engine/noisy.ts"),
  load("engine/steps.ts"),
  load("state.ts"),
]);

const gpu = await openGpu();
const model = await loadModel(gpu);
const large = await loadModel(gpu, `${root}weights/edm2-fashion32.safetensors`);
const engine = { ready: async () => ({ gpu, model }), teacher: async () => large };
const context = (tell = () => {}) => ({ engine, signal: new AbortController().signal, tell });
const inputs = await readInputs(
  `${root}weights/fashion32-test64.safetensors`,
  { shape: model.shape, what: "images", whose: "the network", say: console.log },
  Array.from({ length: 64 }, (_, i) => i),
);

/** Pictures as one PNG of so many columns. */
function write(name, pictures, columns) {
  const rows = pictures.length / columns;
  const sheet = new Float32Array(pictures.length * 1024);
  pictures.forEach((picture, n) => {
    const [top, left] = [Math.floor(n / columns) * 32, (n % columns) * 32];
    for (let i = 0; i < 1024; i++) sheet[(top + (i >> 5)) * columns * 32 + left + (i & 31)] = picture[i];
  });
  const bytes = encodePng(sheet, [1, rows * 32, columns * 32]);
  writeFileSync(`${root}web/recorded/${name}.png`, bytes);
  console.log(`${name}.png: ${bytes.length} bytes`);
}
const split = (images) =>
  Array.from({ length: images.length / 1024 }, (_, i) => images.slice(i * 1024, (i + 1) * 1024));

// The desk as it is at first.
{
  const { values: truth, name } = inputs[2];
  const job = {
    degradation: { task: "mask", mask: firstMask() },
    truth,
    name,
    sigmaY: 0.05,
    runs: 6,
    seed: 0,
    label: -1,
    levels: 50,
  };
  let measured;
  const { images, chi2 } = await restore(
    job,
    context((event) => (measured ??= event.values)),
  );
  console.log("chi2", chi2);
  write("posterior", [truth, measured, ...split(images)], 8);
}
{
  const labels = Array.from({ length: 10 }, (_, i) => i);
  const { images } = await generate({ seeds: labels.map((i) => i + 20), labels, ts: [10], zeta: 1 }, context());
  write("classes", split(images), 10);
}
// A noisy picture's posterior, at three levels of noise.
{
  const rows = [];
  for (const sigma of [0.4, 1.2, 4]) {
    const { noisy: y, images } = await noisy({ truth: inputs[9].values, sigma, draws: 6, seed: 3 }, context());
    rows.push(
      y.map((v) => v / Math.max(1, sigma)),
      ...split(images),
    );
  }
  write("noisy", rows, 7);
}
// One seed at 1, 2 and 4 steps, and by the teacher: what goes in, and what comes out.
{
  const rows = [];
  for (const ts of [[10], [0, 16], [0, 4, 8, 12]]) {
    const { frames } = await steps({ seed: 4, label: 5, ts, zeta: 1 }, context());
    for (const { noisy: x, denoised, sigma } of frames)
      rows.push(
        x.map((v) => v / Math.max(1, sigma)),
        denoised,
      );
  }
  const { image } = await teacher({ seed: 4, label: 5, steps: 16 }, context());
  write("steps", [...rows, image, image], 16);
}
gpu.close();
await server.close();
