import { linearWeightLength, packLinearWeight } from "../../kernels/lib/linear-weight.js";
import { linear as linearKernel } from "../../kernels/network/linear/kernel.js";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { scaleSilu } from "../../kernels/network/scale-silu/kernel.js";
import type { Rule } from "../graph/gradient.js";
import type { Tensor } from "../graph/graph.js";
import { convolve, type LayerWeight } from "./convolution.js";
import { folded, foldedWeight } from "./folded.js";
import type { Build, ConvLayer, Layers, ScaleLayer, Scales } from "./layers.js";
import { foldRecipe } from "./weights.js";

/** Layers of fixed weights, and how a gradient passes through them. */
export interface Pulled {
  readonly layers: Layers;
  /** For `gradient`. */
  readonly rules: ReadonlyMap<Tensor, Rule>;
}

/**
 * The folded layers with derivatives with respect to images: weights are constants and get no gradient. A convolution's adjoint
 * is the convolution with the transposed, flipped weight, which is packed once at load like the weight itself. What follows a
 * convolution is a node of its own, since its derivative needs what the convolution gives.
 * Layers of the embedding have none: it hangs on noise level and labels alone.
 */
export function pulled(): Pulled {
  const rules = new Map<Tensor, Rule>();
  const conv = (build: Build, name: string, layer: ConvLayer, x: Tensor): Tensor => {
    const y = folded.conv(build, name, layer, x);
    const { inChannels, outChannels, height, width, kernel } = layer;
    const weight = adjoint(foldedWeight(layer), layer);
    const back = { inChannels: outChannels, outChannels: inChannels, height, width, kernel, weight };
    rules.set(y, {
      *pull(g, wanted) {
        if (wanted(x)) yield [x, convolve(build, `d ${name}`, { ...back, epilogue: { kind: "none" } }, g)];
      },
    });
    return y;
  };
  const layers: Layers = {
    ...folded,
    conv,
    convScaled(build, name, layer, { c }, x) {
      const raw = conv(build, `${name}.raw`, layer, x);
      const params = { batch: build.batch, channels: layer.outChannels, pixels: layer.height * layer.width };
      return build.graph.run(name, scaleSilu, params, { x: raw, c }, { y: raw.shape }).y;
    },
    convSummed(build, name, layer, { r, t, clip }, x) {
      const raw = conv(build, `${name}.raw`, layer, x);
      const sizes = { elements: raw.length, perImage: raw.length / build.batch, type: "act" as const };
      const params = { ...sizes, t, weightIndex: 0, weights: 0, clip };
      return build.graph.run(name, mpSum, params, { a: r, b: raw }, { out: raw.shape }).out;
    },
    scales: (build, _name, blocks, emb) => blocks.map((block) => scale(build, block, emb)),
  };
  return { layers, rules };
}

/** The scales of one block alone: a node reads them as a tensor of their own. */
function scale(build: Build, { key, outFeatures }: ScaleLayer, emb: Tensor): Scales {
  const inFeatures = emb.length / build.batch;
  const pack = (rows: Float32Array) => packLinearWeight(rows, outFeatures, inFeatures);
  const recipe = foldRecipe(`${key}.emb_linear.weight`, outFeatures, { gain: `${key}.emb_gain`, pack });
  const w = build.graph.constant(`${key}.emb_linear`, [linearWeightLength(outFeatures, inFeatures)], "weight", recipe);
  const params = { batch: build.batch, inFeatures, outFeatures, addOne: true };
  const shape = [build.batch, outFeatures];
  const c = build.graph.run(`${key}.emb_linear`, linearKernel, params, { x: emb, w }, { y: shape }).y;
  return { c, stride: outFeatures, offset: 0 };
}

/** The weight of a convolution's adjoint: [in, out, k, k] with its taps turned round. */
function adjoint(weight: LayerWeight, { inChannels, outChannels, kernel }: ConvLayer): LayerWeight {
  const taps = kernel ** 2;
  return {
    name: `${weight.name}, transposed`,
    sources: weight.sources,
    rows(sources, first, count) {
      const w = weight.rows(sources, 0, outChannels);
      const rows = new Float32Array(count * outChannels * taps);
      for (let i = 0; i < count; i++)
        for (let o = 0; o < outChannels; o++) {
          const from = (o * inChannels + first + i) * taps;
          const to = (i * outChannels + o) * taps;
          for (let tap = 0; tap < taps; tap++) rows[to + tap] = w[from + taps - 1 - tap]!;
        }
      return rows;
    },
  };
}
