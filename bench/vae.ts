/**
 * The full-size decoder of Stability's VAE with random weights of a fixed seed: time and memory of one picture.
 * `node bench/run.mjs vae --latent 64 --precision f32 --strips`
 */
import { parseArgs } from "node:util";
import { mib } from "../src/gpu/device.js";
import { normalSource } from "../src/graph/run-kernel.js";
import { Vae } from "../src/networks/vae/vae.js";
import { randomVae } from "../test/support/random-vae.js";
import { openBenchGpu } from "./open.js";

const { values: flags } = parseArgs({
  options: {
    latent: { type: "string", default: "32" },
    precision: { type: "string", default: "f32" },
    strips: { type: "string" },
    adapter: { type: "string" },
  },
});

/** sd-vae-ft-mse. */
const structure = {
  latentChannels: 4,
  imageChannels: 3,
  channels: [512, 512, 256, 128],
  resnets: 3,
  attention: { q: "to_q", k: "to_k", v: "to_v", out: "to_out.0" },
};

const { file } = randomVae(structure);
const side = Number(flags.latent);
const gpu = await openBenchGpu(flags);
const vae = await Vae.open(gpu, file);
let device = 0;
let total = 0;
const timer = setInterval(() => {
  device = Math.max(device, gpu.allocatedBytes);
  total = Math.max(total, process.memoryUsage().rss);
}, 5);
const random = normalSource(3);
const latent = Float32Array.from({ length: 4 * side * side }, () => 0.5 * random());
const whole = flags.strips === undefined && vae.fitsWhole(side, side);
const options = flags.strips === undefined ? {} : { stripRows: Number(flags.strips) };
const times: number[] = [];
let last: Float32Array | undefined;
for (let i = 0; i < 2; i++) {
  const started = performance.now();
  const { images } = await vae.decode(latent, [1, 4, side, side], options);
  times.push((performance.now() - started) / 1000);
  if (last?.some((v, j) => v !== images[j])) throw new Error("the second picture differs from the first");
  last = images;
}
clearInterval(timer);
process.stdout.write(
  [
    `VAE decoder ${side}x${side}x4 -> ${8 * side}x${8 * side}x3 on ${gpu.info.name}, ${gpu.precision}, ${whole ? "whole" : "in strips"}`,
    `  first picture ${times[0]!.toFixed(1)} s (weights loaded, compiled), then ${times[1]!.toFixed(1)} s`,
    `  device ${mib(device)} at the peak; whole process ${mib(total)}`,
    "",
  ].join("\n"),
);
await vae.close();
gpu.close();
