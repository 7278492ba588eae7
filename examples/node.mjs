// Ten pictures of the bundled network as one PNG each: node examples/node.mjs [folder]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePng, loadModel, openGpu, sampleMultiStep } from "ncvsd-gpu";

const folder = process.argv[2] ?? "out";
mkdirSync(folder, { recursive: true });
const gpu = await openGpu({ adapter: process.env.ADAPTER });
const model = await loadModel(gpu);
const classes = Array.from({ length: model.labelDim }, (_, i) => i);
const { images, shape } = await sampleMultiStep(model, { seeds: classes, labels: classes, ts: [0, 16] });
const [n, ...one] = shape;
const length = images.length / n;
for (const i of classes) {
  const png = await encodePng(images.subarray(i * length, (i + 1) * length), one);
  writeFileSync(join(folder, `${model.labels[i].replace(/\W+/g, "-")}.png`), png);
}
console.log(`${n} pictures of ${one.join("x")} in ${folder}, made on ${gpu.info.name}`);
gpu.close();
