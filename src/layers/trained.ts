import { linearWeightLength } from "../../kernels/lib/linear-weight.js";
import { dropout as dropoutKernel } from "../../kernels/network/dropout/kernel.js";
import { linear as linearKernel } from "../../kernels/network/linear/kernel.js";
import { linearWeightBackward } from "../../kernels/network/linear-weight-backward/kernel.js";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { packWeight } from "../../kernels/network/pack-weight/kernel.js";
import { scaleSilu } from "../../kernels/network/scale-silu/kernel.js";
import { winogradWeight } from "../../kernels/network/winograd-weight/kernel.js";
import { bad } from "../errors.js";
import type { Rule } from "../graph/gradient.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { type Convolution, convolve, type NodeWeight, type Packing, targetIn } from "./convolution.js";
import { type Build, type ConvLayer, type Layers, type LinearLayer, mpSumFactors } from "./layers.js";
import { packedTile, packedWinogradPays } from "./packed-choices.js";
import { convWeightGradient } from "./weight-gradient.js";

/** What one graph of a network with changing weights is made with. */
export interface Trained {
  readonly layers: Layers;
  /** Stored tensors of the checkpoint that the graph reads, by name: externals of that name behind the scope. Gains are not among them. */
  readonly stored: ReadonlyMap<string, Tensor>;
  /** Of the weights among them what makes them the effective ones. */
  readonly weights: ReadonlyMap<string, EffectiveWeight>;
  /** Derivatives of the layers, for `gradient`. */
  readonly rules: ReadonlyMap<Tensor, Rule>;
}

/**
 * An MPConv's effective weight, w / (1e-4 + RMS of its row) * factor * gain / sqrt(fan-in) (EDM2, eq. 66), is nowhere stored: what packs
 * a weight multiplies its rows by `scale`, which the graph's owner makes for all weights at once.
 */
export interface EffectiveWeight {
  /** As it is stored: one row per output channel. */
  readonly w: Tensor;
  /** [rows]: an external. It stands for the effective weight in derivatives: its gradient is that weight's, of w's shape. */
  readonly scale: Tensor;
  readonly factor: number;
  /** Name of the stored gain. */
  readonly gain: string | undefined;
}

export interface TrainedOptions {
  /** In front of the externals' names, where a graph holds several networks. */
  readonly scope?: string;
  /** False: the network is only evaluated, and what follows a convolution is its epilogue, as at inference. */
  readonly backward?: boolean;
  /** Of the network in training mode; absent: none. */
  readonly dropout?: Dropout | undefined;
}

/** Dropout after the second mp_silu of each block: masks hang on the image's key and the layer's number in its network. */
export interface Dropout {
  readonly probability: number;
  /** [N] u32: the images' keys. */
  readonly keys: Tensor;
  /** Number of the generator's draw. */
  readonly draw: number;
}

/**
 * Layers whose weights change: stored f32 tensors, which nodes scale to effective weights (EDM2, eq. 66) and pack for
 * the layers' algorithms in every run. What follows a convolution is a node of its own, since its derivative needs what the
 * convolution gives.
 * Neither forced normalisation nor the rows' scales and their derivatives are among the nodes: a graph's owner makes both for all
 * weights of a network at once, before and after it (src/train/row-stages.ts).
 */
export function trained({ scope = "", backward = true, dropout }: TrainedOptions = {}): Trained {
  const stored = new Map<string, Tensor>();
  const weights = new Map<string, EffectiveWeight>();
  const rules = new Map<Tensor, Rule>();
  const tensor = (graph: Graph, name: string, shape: readonly number[]) => {
    const known = stored.get(name) ?? graph.external(`${scope}${name}`, shape);
    stored.set(name, known);
    return known;
  };
  // One for all uses of a layer: where a network sees several images, gradients meet before the normalisation, not behind it.
  const effective = ({ graph }: Build, layer: ConvLayer | LinearLayer, shape: readonly number[]) => {
    const { weight } = layer;
    const gain = "gain" in layer ? layer.gain : undefined;
    const factor = "factor" in layer && layer.factor !== undefined ? layer.factor : 1;
    const known = weights.get(weight);
    if (known && (known.factor !== factor || known.gain !== gain))
      throw new Error(`${weight} has two different scales in one graph`);
    const scale = known?.scale ?? graph.external(`scale of ${scope}${weight}`, [shape[0]!]);
    const made = known ?? { w: tensor(graph, weight, shape), scale, factor, gain };
    weights.set(weight, made);
    return made;
  };

  /** Effective weight, shape and operands of a convolution. */
  const weighed = (build: Build, layer: ConvLayer, factor = 1) => {
    const { inChannels, outChannels, height, width, kernel } = layer;
    const shape = { inChannels, outChannels, height, width, kernel };
    return { shape, w: effective(build, { ...layer, factor }, [outChannels, inChannels, kernel, kernel]) };
  };
  const none = { kind: "none" as const };

  const conv = (build: Build, name: string, layer: ConvLayer, x: Tensor): Tensor => {
    const { shape, w } = weighed(build, layer);
    const { inChannels, outChannels } = layer;
    const y = convolve(build, name, { ...shape, weight: packedByNodes(build, w, shape, false), epilogue: none }, x);
    rules.set(y, {
      *pull(g, wanted) {
        if (wanted(w.scale)) yield [w.scale, convWeightGradient(build, `d ${name} (weight)`, shape, x, g)];
        if (!wanted(x)) return;
        const back = { ...shape, inChannels: outChannels, outChannels: inChannels };
        const weight = packedByNodes(build, w, shape, true);
        yield [x, convolve(build, `d ${name}`, { ...back, weight, epilogue: none }, g)];
      },
    });
    return y;
  };

  const linear = (build: Build, name: string, layer: LinearLayer & { gain?: string; addOne?: boolean }, x: Tensor) => {
    const { graph, batch } = build;
    const { inFeatures, outFeatures, addOne = false } = layer;
    const w = effective(build, layer, [outFeatures, inFeatures]);
    const pack = (transposed: boolean) => {
      const [rows, entries] = transposed ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
      const length = linearWeightLength(rows, entries);
      const size = {
        outChannels: outFeatures,
        inChannels: inFeatures,
        taps: 1,
        transposed,
        depth: length / rows,
        scaled: true,
        full: true,
      };
      const named = `${name} (packed${transposed ? ", transposed" : ""})`;
      return graph.run(
        named,
        packWeight,
        { ...size, layout: "rows" as const },
        { w: w.w, scale: w.scale },
        { y: [length] },
      ).y;
    };
    const params = { batch, inFeatures, outFeatures, addOne, full: true };
    const y = graph.run(name, linearKernel, params, { x, w: pack(false) }, { y: [batch, outFeatures] }).y;
    rules.set(y, {
      *pull(g, wanted) {
        const sides = { batch, inFeatures, outFeatures };
        const named = `d ${name} (weight)`;
        if (wanted(w.scale))
          yield [w.scale, graph.run(named, linearWeightBackward, sides, { x, g }, { dw: w.w.shape }).dw];
        if (!wanted(x)) return;
        const back = { batch, inFeatures: outFeatures, outFeatures: inFeatures, addOne: false, full: true };
        yield [x, graph.run(`d ${name}`, linearKernel, back, { x: g, w: pack(true) }, { y: x.shape }).y];
      },
    });
    return y;
  };

  let droppedLayers = 0;
  const dropped = ({ graph, batch }: Build, name: string, x: Tensor): Tensor => {
    if (!dropout?.probability) return x;
    const { probability, keys, draw } = dropout;
    const params = { batch, elements: x.length / batch, draw, layer: droppedLayers++, probability };
    return graph.run(name, dropoutKernel, params, { x, keys }, { y: x.shape }).y;
  };

  const layers: Layers = {
    conv,
    convScaled(build, name, layer, { c, stride, offset }, x) {
      if (!backward) {
        const { shape, w } = weighed(build, layer);
        const epilogue = { kind: "scale_silu" as const, offset, stride };
        return convolve(build, name, { ...shape, weight: packedByNodes(build, w, shape, false), epilogue, c }, x);
      }
      const { outChannels: channels, height, width } = layer;
      const raw = conv(build, `${name}.raw`, layer, x);
      build.tap(`${name}.raw`, raw);
      const params = { batch: build.batch, channels, pixels: height * width };
      const { y } = build.graph.run(name, scaleSilu, params, { x: raw, c }, { y: raw.shape });
      return dropped(build, `${name}.dropout`, y);
    },
    convSummed(build, name, layer, { r, t, clip }, x) {
      if (!backward) {
        const { first, second } = mpSumFactors(t);
        const { shape, w } = weighed(build, layer, second);
        const epilogue = { kind: "sum_clip" as const, residual: first, clip };
        return convolve(build, name, { ...shape, weight: packedByNodes(build, w, shape, false), epilogue, r }, x);
      }
      const raw = conv(build, `${name}.raw`, layer, x);
      build.tap(`${name}.raw`, raw);
      const sizes = { elements: raw.length, perImage: raw.length / build.batch, type: "act" as const };
      const params = { ...sizes, t, weightIndex: 0, weights: 0, clip };
      return build.graph.run(name, mpSum, params, { a: r, b: raw }, { out: raw.shape }).out;
    },
    linear,
    scales(build, _name, blocks, emb) {
      const inFeatures = emb.length / build.batch;
      return blocks.map(({ key, outFeatures }) => {
        const layer = { inFeatures, outFeatures, weight: `${key}.emb_linear.weight`, gain: `${key}.emb_gain` };
        const c = linear(build, `${key}.emb_linear`, { ...layer, addOne: true }, emb);
        return { c, stride: outFeatures, offset: 0 };
      });
    },
    stored: ({ graph }, name, length) => tensor(graph, name, [length]),
  };
  return { layers, stored, weights, rules };
}

/** An effective weight as the layers' algorithms want it; transposed, the convolution with it is the adjoint. */
function packedByNodes(
  build: Build,
  { w, scale }: EffectiveWeight,
  shape: Omit<Convolution, "weight" | "epilogue">,
  transposed: boolean,
): NodeWeight {
  const { graph, batch } = build;
  const { bindingBytes } = targetIn(build);
  const { inChannels, outChannels, kernel } = shape;
  const rows = transposed ? inChannels : outChannels;
  const named = `${w.name} (packed${transposed ? ", transposed" : ""})`;
  let known: Tensor | undefined;
  const pack = ({ algorithm, tile, length }: Packing) => {
    if (tile) {
      const params = { outChannels, inChannels, transposed, tile };
      return graph.run(named, winogradWeight, params, { w, scale }, { y: [length] }).y;
    }
    const taps = kernel * kernel;
    const entries = (transposed ? outChannels : inChannels) * taps;
    const depth = algorithm === "gemm" ? entries + (entries % 2) : entries;
    const params = { outChannels, inChannels, taps, transposed, layout: "groups" as const, depth, scaled: true };
    return graph.run(named, packWeight, params, { w, scale }, { y: [length] }).y;
  };
  return {
    choices: {
      pays: (layer, rates) => packedWinogradPays(layer, batch, { rates, bindingBytes }),
      tile: (layer, rates) => (rates ? undefined : packedTile(layer, batch, bindingBytes)),
    },
    packed(packing: Packing) {
      if (packing.first !== 0 || packing.count !== rows)
        throw bad(
          `The layer ${w.name} [${w.shape}] is too large to be trained: its packed weight exceeds what one binding holds.`,
        );
      known ??= pack(packing);
      return known;
    },
  };
}
