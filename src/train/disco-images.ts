import { axpby } from "../../kernels/network/axpby/kernel.js";
import { chooseOne } from "../../kernels/priors/choose-one/kernel.js";
import { setDistances } from "../../kernels/priors/set-distances/kernel.js";
import { softmaxRows } from "../../kernels/priors/softmax-rows/kernel.js";
import { weightedMean } from "../../kernels/priors/weighted-mean/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { TIMELESS_SIGMA } from "../networks/edm2/timeless.js";
import { uniforms } from "../random/uniforms.js";
import { DRAWS } from "./draws.js";
import { type ConfigInput, type NetworkInput, networkTensors } from "./source.js";

/** How a model of images without noise levels is trained (Wedenig and Peharz, appendix D). */
export interface DiscoImageOptions {
  /** sigma(0), the smoothing of the data on [-1, 1]; default 0.01. */
  readonly sigmaMin?: number;
  /** What is learnt at a noisy image: a draw (default) of the posterior over the images of its round, or its mean. */
  readonly target?: "draw" | "mean";
  /**
   * Share of the images of which some pixels are clean, so that the model can be asked with known pixels as they are; default 0. Of
   * such an image half, scattered pixels, or all but a rectangle are clean; its loss is that of the others, with weight 1/2.
   */
  readonly known?: number;
}

/** The same, checked, with defaults. */
export interface DiscoImageSettings {
  readonly sigmaMin: number;
  readonly target: "draw" | "mean";
  readonly known: number;
}

/** @throws BAD_ARGUMENT */
export function discoImageSettings(call: string, options: DiscoImageOptions): DiscoImageSettings {
  checkKeys(`${call}: disco`, options, { sigmaMin: true, target: true, known: true });
  const { sigmaMin = 0.01, target = "draw", known = 0 } = options;
  if (!(sigmaMin > 0 && Number.isFinite(sigmaMin)))
    throw bad(`${call}: disco.sigmaMin must be a positive number, got ${sigmaMin}.`);
  if (target !== "draw" && target !== "mean") throw bad(`${call}: disco.target must be draw or mean, got ${target}.`);
  if (!(known >= 0 && known <= 1)) throw bad(`${call}: disco.known must be a share from 0 to 1, got ${known}.`);
  return { sigmaMin, target, known };
}

/**
 * The network and its arguments that make D(x) = x/2 + F(x); of a teacher's file all but the classes.
 * @throws BAD_ARGUMENT for arguments that make something else
 */
export async function discoImageNetwork(
  call: string,
  network: NetworkInput | undefined,
  config: ConfigInput | undefined,
): Promise<{ readonly network: NetworkInput | undefined; readonly config: ConfigInput }> {
  const own = { sigma_data: TIMELESS_SIGMA, label_dim: 0 };
  for (const name of ["sigma_data", "label_dim"] as const) {
    const given = config?.[name];
    if (given !== undefined && given !== own[name])
      throw bad(
        `${call}: a model without noise levels has ${name} ${own[name]}, got ${given} in config: leave it out there.`,
      );
  }
  if (network === undefined || network instanceof Map) return { network, config: { ...config, ...own } };
  const { tensors, config: its, dropout } = await networkTensors(`${call}: network`, network, undefined);
  const kept = new Map([...tensors!].filter(([name]) => !name.endsWith("emb_label.weight")));
  return { network: kept, config: { ...its, dropout, ...config, ...own } };
}

/**
 * Appends what is learnt at noisy images x of `images`, both [rows, ..]: x* by the posterior over the images of the batch,
 *   p_j = softmax over j of -|x - x_j|^2 / (2 sigma^2),
 * or its mean. Squared distances are taken less that to the image's own, |x_j - x_n|^2 - 2 (x - x_n).(x_j - x_n): of x far away that is
 * what tells neighbours apart in single precision.
 * @param sigma sigma(0), [rows]  @param z standard normal, like x: decides the draw; absent: the mean
 */
export function posteriorImages(
  graph: Graph,
  { x, images, sigma, z }: { x: Tensor; images: Tensor; sigma: Tensor; z?: Tensor | undefined },
): { readonly target: Tensor; readonly weights: Tensor } {
  const rows = images.shape[0]!;
  const dims = images.length / rows;
  const square = [rows, rows];
  const all = { elements: images.length, type: "f32" as const };
  const offset = graph.run("offset", axpby, { ...all, alpha: 1, beta: -1 }, { a: x, b: images }, { y: x.shape }).y;
  const params = { rows, count: rows, dims, first: 0, stride: rows };
  const between = graph.external("distances between images", square);
  const along = graph.external("products with the offsets", square);
  graph.run(
    "distances",
    setDistances,
    { ...params, product: false },
    { x: images, points: images, squares: between },
    {},
  );
  const moved = { x: offset, points: images, centre: images, squares: along };
  graph.run("products", setDistances, { ...params, product: true }, moved, {});
  const weights = graph.external("posterior", square);
  const both = { elements: rows * rows, type: "f32" as const, alpha: 1, beta: -2 };
  graph.run("posterior logits", axpby, both, { a: between, b: along }, { y: weights });
  const total = [rows];
  graph.run("posterior", softmaxRows, { rows, count: rows, squares: true }, { w: weights, sigma }, { total });
  if (z) graph.run("draw", chooseOne, { rows, count: rows, dims }, { w: weights, z }, {});
  const reads = { w: weights, points: images };
  const target = graph.run("target", weightedMean, { ...params, add: false }, reads, { y: x.shape }).y;
  return { target, weights };
}

/**
 * Which pixels of an image are clean, 1 for those, or undefined where it is noisy throughout: half of it, scattered pixels of a random
 * share, or all but a rectangle, by its key.
 * @param share of the images that have clean pixels
 */
export function knownMask(key: number, share: number, side: number): Float32Array | undefined {
  if (share === 0) return undefined;
  const random = uniforms(key, DRAWS.known);
  if (random() >= share) return undefined;
  const kind = Math.floor(3 * random());
  const [a, b, c, d] = [random(), random(), random(), random()];
  const fill = (known: (row: number, column: number) => boolean) =>
    Float32Array.from({ length: side * side }, (_, i) => Number(known(Math.floor(i / side), i % side)));
  if (kind === 0) {
    const half = side / 2;
    const turned = a < 0.5;
    return fill((row, column) => (turned ? row : column) < half === b < 0.5);
  }
  if (kind === 1) return fill(() => random() < 0.1 + 0.8 * a);
  // Sides from a quarter to three quarters, anywhere.
  const [height, width] = [a, b].map((v) => Math.max(1, Math.round(side * (0.25 + 0.5 * v)))) as [number, number];
  const [top, left] = [Math.floor(c * (side - height + 1)), Math.floor(d * (side - width + 1))];
  return fill((row, column) => !(row >= top && row < top + height && column >= left && column < left + width));
}
