// A hidden box of a picture, drawn anew: node examples/inverse.mjs
import { loadModel, openGpu, operators, psnr, solveInverse } from "ncvsd-gpu";

const gpu = await openGpu({ adapter: process.env.ADAPTER });
const model = await loadModel(gpu);
const truth = await model.generate({ y: new Float32Array(32 * 32), sigma: 20, seeds: [1], labels: [9] });
const operator = await operators.inpainting(gpu, { shape: model.shape, box: [8, 24, 8, 24] });
const measurement = await operator.forward(truth);
const { images } = await solveInverse(model, {
  operator,
  measurement,
  sigmaY: 0.05,
  labels: [9],
  steps: 8,
  seeds: [0],
});
console.log(`PSNR ${psnr(images, truth).toFixed(1)} dB`);
gpu.close();
