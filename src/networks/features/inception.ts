import type { Graph, Tensor } from "../../graph/graph.js";
import { type Conv2dLayer, convolution, convolutionSize, pooling } from "./layers.js";
import { type Branch, productConvolutions, winogradConvolution } from "./products.js";

/** Side of the pictures that the network takes. */
export const INCEPTION_SIDE = 299;

/** A convolution of Inception-v3: no bias of its own, batch normalisation, ReLU. */
export interface InceptionConv {
  /** As torchvision and pytorch-fid name it, with its block: "Mixed_5b.branch1x1". */
  readonly name: string;
  /** As NVIDIA's file names it: "mixed.conv". */
  readonly nvidia: string;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: 1 | 2;
  readonly padding: readonly [height: number, width: number];
  readonly from: Source;
}

/** What a convolution reads: the block's input, a pooled input, or the convolution of that name in the block. */
type Source = "input" | "pooled" | { readonly conv: string };

interface Block {
  readonly name: string;
  readonly convs: readonly InceptionConv[];
  /** Names of the convolutions whose outputs are concatenated, in order; "pool" for the pooled input itself. */
  readonly outputs: readonly string[];
  readonly pool: { readonly mode: "max" | "mean"; readonly stride: 1 | 2 };
}

type Row = readonly [name: string, nvidia: string, kernel: `${number}x${number}`, from: string, stride?: 2 | undefined];

/** Rows of a block: a convolution's two names, its kernel, what it reads; of stride 2 unpadded, else padded to keep the size. */
function block(
  name: string,
  nvidia: string,
  rows: readonly Row[],
  outputs: string,
  pool: Block["pool"],
  own = (text: string) => text,
): Block {
  const convs = rows.map(([part, other, size, from, stride = 1]): InceptionConv => {
    const [height, width] = size.split("x").map(Number) as [number, number];
    return {
      name: `${name}.${part}`,
      nvidia: `${nvidia}.${own(other)}`,
      kernel: [height, width],
      stride: stride as 1 | 2,
      padding: stride === 2 ? [0, 0] : [(height - 1) / 2, (width - 1) / 2],
      from: from === "input" || from === "pooled" ? from : { conv: `${name}.${from}` },
    };
  });
  return { name, convs, pool, outputs: outputs.split(" ").map((part) => (part === "pool" ? part : `${name}.${part}`)) };
}

const MEAN = { mode: "mean", stride: 1 } as const;
const HALVED = { mode: "max", stride: 2 } as const;

const A: readonly Row[] = [
  ["branch1x1", "conv", "1x1", "input"],
  ["branch5x5_1", "tower.conv", "1x1", "input"],
  ["branch5x5_2", "tower.conv_1", "5x5", "branch5x5_1"],
  ["branch3x3dbl_1", "tower_1.conv", "1x1", "input"],
  ["branch3x3dbl_2", "tower_1.conv_1", "3x3", "branch3x3dbl_1"],
  ["branch3x3dbl_3", "tower_1.conv_2", "3x3", "branch3x3dbl_2"],
  ["branch_pool", "tower_2.conv", "1x1", "pooled"],
];
const B: readonly Row[] = [
  ["branch3x3", "conv", "3x3", "input", 2],
  ["branch3x3dbl_1", "tower.conv", "1x1", "input"],
  ["branch3x3dbl_2", "tower.conv_1", "3x3", "branch3x3dbl_1"],
  ["branch3x3dbl_3", "tower.conv_2", "3x3", "branch3x3dbl_2", 2],
];
// Kernels are height x width: the long branch begins with the column, the short one with the row.
const C: readonly Row[] = [
  ["branch1x1", "conv", "1x1", "input"],
  ["branch7x7_1", "tower.conv", "1x1", "input"],
  ["branch7x7_2", "tower.conv_1", "1x7", "branch7x7_1"],
  ["branch7x7_3", "tower.conv_2", "7x1", "branch7x7_2"],
  ["branch7x7dbl_1", "tower_1.conv", "1x1", "input"],
  ["branch7x7dbl_2", "tower_1.conv_1", "7x1", "branch7x7dbl_1"],
  ["branch7x7dbl_3", "tower_1.conv_2", "1x7", "branch7x7dbl_2"],
  ["branch7x7dbl_4", "tower_1.conv_3", "7x1", "branch7x7dbl_3"],
  ["branch7x7dbl_5", "tower_1.conv_4", "1x7", "branch7x7dbl_4"],
  ["branch_pool", "tower_2.conv", "1x1", "pooled"],
];
const D: readonly Row[] = [
  ["branch3x3_1", "tower.conv", "1x1", "input"],
  ["branch3x3_2", "tower.conv_1", "3x3", "branch3x3_1", 2],
  ["branch7x7x3_1", "tower_1.conv", "1x1", "input"],
  ["branch7x7x3_2", "tower_1.conv_1", "1x7", "branch7x7x3_1"],
  ["branch7x7x3_3", "tower_1.conv_2", "7x1", "branch7x7x3_2"],
  ["branch7x7x3_4", "tower_1.conv_3", "3x3", "branch7x7x3_3", 2],
];
const E: readonly Row[] = [
  ["branch1x1", "conv", "1x1", "input"],
  ["branch3x3_1", "tower_conv", "1x1", "input"],
  ["branch3x3_2a", "tower_mixed_conv", "1x3", "branch3x3_1"],
  ["branch3x3_2b", "tower_mixed_conv_1", "3x1", "branch3x3_1"],
  ["branch3x3dbl_1", "tower_1_conv", "1x1", "input"],
  ["branch3x3dbl_2", "tower_1_conv_1", "3x3", "branch3x3dbl_1"],
  ["branch3x3dbl_3a", "tower_1_mixed_conv", "1x3", "branch3x3dbl_2"],
  ["branch3x3dbl_3b", "tower_1_mixed_conv_1", "3x1", "branch3x3dbl_2"],
  ["branch_pool", "tower_2_conv", "1x1", "pooled"],
];
const A_OUT = "branch1x1 branch5x5_2 branch3x3dbl_3 branch_pool";
const C_OUT = "branch1x1 branch7x7_3 branch7x7dbl_5 branch_pool";
const E_OUT = "branch1x1 branch3x3_2a branch3x3_2b branch3x3dbl_3a branch3x3dbl_3b branch_pool";

const BLOCKS: readonly Block[] = [
  block("Mixed_5b", "mixed", A, A_OUT, MEAN),
  block("Mixed_5c", "mixed_1", A, A_OUT, MEAN),
  block("Mixed_5d", "mixed_2", A, A_OUT, MEAN),
  block("Mixed_6a", "mixed_3", B, "branch3x3 branch3x3dbl_3 pool", HALVED),
  block("Mixed_6b", "mixed_4", C, C_OUT, MEAN),
  block("Mixed_6c", "mixed_5", C, C_OUT, MEAN),
  block("Mixed_6d", "mixed_6", C, C_OUT, MEAN),
  block("Mixed_6e", "mixed_7", C, C_OUT, MEAN),
  block("Mixed_7a", "mixed_8", D, "branch3x3_2 branch7x7x3_4 pool", HALVED),
  block("Mixed_7b", "mixed_9", E, E_OUT, MEAN),
  // The network of FID takes the maximum here, torchvision's classifier the mean.
  block("Mixed_7c", "mixed_10", E, E_OUT, { mode: "max", stride: 1 }),
];

function stem(name: string, nvidia: string, size: number, stride: 1 | 2, pad: number): InceptionConv {
  return { name, nvidia, kernel: [size, size], stride, padding: [pad, pad], from: "input" };
}

/** Convolutions before the first block, and where the image is halved between them. */
const STEM: readonly (InceptionConv | "pool")[] = [
  stem("Conv2d_1a_3x3", "conv", 3, 2, 0),
  stem("Conv2d_2a_3x3", "conv_1", 3, 1, 0),
  stem("Conv2d_2b_3x3", "conv_2", 3, 1, 1),
  "pool",
  stem("Conv2d_3b_1x1", "conv_3", 1, 1, 0),
  stem("Conv2d_4a_3x3", "conv_4", 3, 1, 0),
  "pool",
];

/** All 94 convolutions, in order. */
export const INCEPTION_CONVS: readonly InceptionConv[] = [
  ...STEM.flatMap((layer) => (layer === "pool" ? [] : [layer])),
  ...BLOCKS.flatMap(({ convs }) => convs),
];

/** Output channels of every convolution, by its name. */
export type InceptionWidths = ReadonlyMap<string, number>;

/**
 * Input channels of every convolution, and the length of the features, for these output channels.
 */
export function inceptionInputs(widths: InceptionWidths): { inputs: Map<string, number>; dims: number } {
  const inputs = new Map<string, number>();
  let channels = 3;
  for (const layer of STEM) {
    if (layer === "pool") continue;
    inputs.set(layer.name, channels);
    channels = widths.get(layer.name)!;
  }
  for (const { convs, outputs } of BLOCKS) {
    for (const conv of convs)
      inputs.set(conv.name, typeof conv.from === "string" ? channels : widths.get(conv.from.conv)!);
    channels = outputs.reduce((sum, name) => sum + (name === "pool" ? channels : widths.get(name)!), 0);
  }
  return { inputs, dims: channels };
}

/**
 * Layers of so many channels are summed as if in twice the precision: few channels average no rounding out, and the layers
 * behind them amplify it. The published network has none.
 */
const NARROW = 16;

/**
 * Inception-v3 as the Frechet inception distance uses it (Szegedy et al. 2016; Heusel et al. 2017): pictures [N, 3, 299, 299],
 * scaled, to the means of the last block. Means count no padding. Batch normalisation is part of the weights.
 * @param products convolutions as matrix products over patches, in f32
 * @returns features [N, dims]
 */
export function inceptionGraph(
  graph: Graph,
  batch: number,
  widths: InceptionWidths,
  products: boolean,
): { images: Tensor; y: Tensor } {
  const images = graph.external("images", [batch, 3, INCEPTION_SIDE, INCEPTION_SIDE]);
  const { dims } = inceptionInputs(widths);
  const layerOf = ({ name, kernel, stride, padding }: InceptionConv): Conv2dLayer => {
    const outChannels = widths.get(name)!;
    return { name, outChannels, kernel, stride, padding, activation: "relu", precise: outChannels <= NARROW };
  };
  const byProduct = (conv: InceptionConv) => products && widths.get(conv.name)! > NARROW;
  const product = ({ kernel, stride }: InceptionConv, branch: Branch, input: Tensor) =>
    kernel.join() === "3,3" && stride === 1
      ? winogradConvolution(graph, branch, input)
      : productConvolutions(graph, [branch], input)[0]!;
  const single = (conv: InceptionConv, input: Tensor) => {
    const layer = layerOf(conv);
    if (!byProduct(conv)) return convolution(graph, layer, input);
    const { outHeight, outWidth } = convolutionSize(layer, input);
    return product(conv, { layer, to: [batch, layer.outChannels, outHeight, outWidth] }, input);
  };
  let x = images;
  let pools = 0;
  for (const layer of STEM) {
    if (layer === "pool") x = pooling(graph, `pool${pools++}`, { mode: "max", kernel: 3, stride: 2 }, x);
    else x = single(layer, x);
  }
  for (const { name, convs, outputs, pool } of BLOCKS) {
    const input = x;
    const [, channels, height] = input.shape as [number, number, number];
    const side = pool.stride === 2 ? Math.floor((height - 3) / 2) + 1 : height;
    const parts = outputs.map((part) => (part === "pool" ? channels : widths.get(part)!));
    const of = parts.reduce((a, b) => a + b, 0);
    /** Filled by all outputs of the block, each its channels. */
    let whole: Tensor | undefined;
    const target = (part: string) => {
      const at = outputs.indexOf(part);
      const first = parts.slice(0, at).reduce((a, b) => a + b, 0);
      return at < 0 ? undefined : { first, of };
    };
    const window = { mode: pool.mode, kernel: 3, stride: pool.stride, padding: pool.stride === 2 ? 0 : 1 } as const;
    const made = new Map<string, Tensor>();
    const layerIn = (conv: InceptionConv): Conv2dLayer => {
      const into = target(conv.name);
      return { ...layerOf(conv), ...(into ? { into } : {}) };
    };
    const placeOf = (conv: InceptionConv) =>
      target(conv.name) ? (whole ?? [batch, of, side, side]) : [batch, widths.get(conv.name)!, height, height];
    const keep = (conv: InceptionConv, y: Tensor) => {
      if (target(conv.name)) whole = y;
      made.set(conv.name, y);
    };
    // What reads the block's input pixel by pixel is one product.
    const first = convs.filter((conv) => conv.from === "input" && conv.kernel.join() === "1,1" && byProduct(conv));
    if (first.length > 0) {
      const branches = first.map((conv) => ({ layer: layerIn(conv), to: placeOf(conv) }));
      for (const [i, y] of productConvolutions(graph, branches, input).entries()) keep(first[i]!, y);
    }
    for (const conv of convs) {
      if (made.has(conv.name)) continue;
      if (conv.from === "pooled") made.set("pooled", pooling(graph, `${name}.pool`, window, input));
      const from = conv.from === "input" ? input : made.get(conv.from === "pooled" ? "pooled" : conv.from.conv)!;
      if (byProduct(conv)) {
        keep(conv, product(conv, { layer: layerIn(conv), to: placeOf(conv) }, from));
      } else keep(conv, convolution(graph, layerIn(conv), from, placeOf(conv)));
    }
    const into = target("pool");
    x = into ? pooling(graph, `${name}.pool`, { ...window, into }, input, whole) : whole!;
  }
  const y = pooling(
    graph,
    "features",
    { mode: "mean", kernel: x.shape[2]!, stride: 1 },
    x,
    graph.external("features", [batch, dims]),
  );
  return { images, y };
}
