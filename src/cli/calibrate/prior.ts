import { join } from "node:path";
import { normals } from "../../../kernels/lib/philox.js";
import { openCheckpoint } from "../../checkpoint/index.js";
import { readInputs } from "../../data/inputs.js";
import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import { volume } from "../../operators/check.js";
import { type DatasetPrior, datasetPrior } from "../../priors/dataset-prior.js";
import { cholesky } from "../../priors/linear-algebra.js";
import { type GaussianMixture, gaussianMixture } from "../../priors/mixture.js";
import { uniforms } from "../../random/uniforms.js";
import { packageRoot } from "../../runs/package.js";

/** Held-out pictures that come with the bundled network. */
const bundledPictures = join(packageRoot, "weights", "fashion32-test64.safetensors");

/** A file with `means` [K, D], `covs` [K, D, D] and `weights` [K]. */
export async function readMixture(path: string): Promise<GaussianMixture> {
  const file = await openCheckpoint(path);
  try {
    for (const name of ["means", "covs", "weights"])
      if (!file.tensors.has(name)) throw bad(`${path} has no tensor ${name}: a mixture is means, covs and weights`);
    const [means, covs, weights] = [
      await file.readF32("means"),
      await file.readF32("covs"),
      await file.readF32("weights"),
    ];
    return gaussianMixture({ means, covs, weights });
  } finally {
    await file.close();
  }
}

/**
 * A mixture of smooth random pictures: in component k values of pixels at distance d have the covariance a^2 exp(-d^2 / (2 l^2)),
 * a and l its own, and 0.05^2 more on the diagonal; channels are independent, means are smooth, too.
 */
export function smoothMixture(
  [channels, height, width]: ImageShape,
  components: number,
  seed: number,
): GaussianMixture {
  const pixels = height * width;
  const dims = channels * pixels;
  const next = uniforms(seed, 7);
  const kernel = (size: number, reach: number, floor: number) => {
    const cov = new Float64Array(dims * dims);
    for (let i = 0; i < dims; i++)
      for (let j = 0; j < dims; j++) {
        if (Math.floor(i / pixels) !== Math.floor(j / pixels)) continue;
        const [a, b] = [i % pixels, j % pixels];
        const square = (Math.floor(a / width) - Math.floor(b / width)) ** 2 + ((a % width) - (b % width)) ** 2;
        cov[i * dims + j] = size ** 2 * Math.exp(-square / (2 * reach ** 2)) + (i === j ? floor ** 2 : 0);
      }
    return cov;
  };
  const { lower } = cholesky(kernel(0.5, 2, 1e-3), dims);
  const parts = Array.from({ length: components }, (_, k) => {
    const z = normals(seed, k, dims);
    const mean = Array.from({ length: dims }, (_, i) => {
      let sum = 0;
      for (let j = 0; j <= i; j++) sum += lower[i * dims + j]! * z[j]!;
      return sum;
    });
    return { mean, cov: kernel(0.15 + 0.3 * next(), 1 + 1.5 * next(), 0.05), weight: 0.5 + next() };
  });
  return gaussianMixture({
    means: parts.map(({ mean }) => mean),
    covs: parts.map(({ cov }) => cov),
    weights: parts.map(({ weight }) => weight),
  });
}

/** The pictures of `--data`, averaged over blocks to `size` x `size` where that is given. */
export async function readSet(
  gpu: Gpu,
  options: { readonly data: string | undefined; readonly shape: ImageShape; readonly size: number | undefined },
  say: (line: string) => void,
): Promise<DatasetPrior> {
  const { shape, size } = options;
  const path = options.data ?? bundledPictures;
  const inputs = await readInputs(path, { shape, what: "images", whose: "--shape", say });
  if (inputs.length < 2) throw bad(`${path} holds one picture: a set needs at least two`);
  const [c, h, w] = shape;
  const small: ImageShape = size === undefined ? shape : [c, size, size];
  if (h % small[1] !== 0 || w % small[2] !== 0) throw bad(`--size ${size} does not divide pictures of ${w}x${h}`);
  const one = volume(small);
  const images = new Float32Array(inputs.length * one);
  inputs.forEach(({ values }, n) => {
    images.set(averaged(values, shape, small), n * one);
  });
  return datasetPrior(gpu, { images, shape: small });
}

function averaged(values: Float32Array, [c, h, w]: ImageShape, [, height, width]: ImageShape): Float32Array {
  const [fy, fx] = [h / height, w / width];
  const out = new Float32Array(c * height * width);
  for (let at = 0; at < c * h * w; at++) {
    const [channel, y, x] = [Math.floor(at / (h * w)), Math.floor(at / w) % h, at % w];
    out[(channel * height + Math.floor(y / fy)) * width + Math.floor(x / fx)]! += values[at]! / (fy * fx);
  }
  return out;
}
