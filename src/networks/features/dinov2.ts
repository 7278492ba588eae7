import { biasAct } from "../../../kernels/features/bias-act/kernel.js";
import { conv2d } from "../../../kernels/features/conv2d/kernel.js";
import { conv2dWeightLength, packConv2dWeight } from "../../../kernels/features/conv2d/weight.js";
import { placeTokens } from "../../../kernels/features/place-tokens/kernel.js";
import { pool2d } from "../../../kernels/features/pool2d/kernel.js";
import { swiglu } from "../../../kernels/features/swiglu/kernel.js";
import { tokenAttention } from "../../../kernels/features/token-attention/kernel.js";
import { gemm } from "../../../kernels/network/gemm/kernel.js";
import { gemmWeightLength, packGemmWeight } from "../../../kernels/network/gemm/weight.js";
import type { Graph, Tensor } from "../../graph/graph.js";
import { plainRecipe } from "../../layers/weights.js";
import { convolution, layerNormalisation } from "./layers.js";
import { productConvolutions } from "./products.js";
import { antialiasedBicubic, plainBicubic, type ResizeRule, resizePlanes } from "./resizing.js";

/** Pixels of a patch's side. */
export const PATCH = 14;

/** What tensors' shapes tell of a DINOv2 network. */
export interface Dinov2Config {
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  /** Hidden features of the MLP. */
  readonly hidden: number;
  readonly gated: boolean;
  readonly registers: number;
  /** Patches along a side of the stored positions. */
  readonly grid: number;
}

/** How stored positions are resized: as the authors' code does, or by the grids' ratio alone. */
export type Dinov2Positions = "hub" | "by-size";

/**
 * What is added to class token and patches: [1 + rows columns, width] of the stored [1 + grid^2, width], the class position
 * as it is.
 */
function positionsFor(
  stored: ArrayLike<number>,
  { width, grid, registers }: Pick<Dinov2Config, "width" | "grid" | "registers">,
  [rows, columns]: readonly [number, number],
  how: Dinov2Positions,
): Float64Array {
  const out = new Float64Array((1 + rows * columns) * width);
  for (let c = 0; c < width; c++) out[c] = stored[c]!;
  const planes = new Float64Array(width * grid * grid);
  for (let p = 0; p < grid * grid; p++)
    for (let c = 0; c < width; c++) planes[c * grid * grid + p] = stored[(1 + p) * width + c]!;
  const rule: ResizeRule = registers > 0 ? antialiasedBicubic : plainBicubic(how === "hub" ? 0.1 : 0);
  const resized = resizePlanes(planes, [grid, grid], [rows, columns], rule);
  for (let p = 0; p < rows * columns; p++)
    for (let c = 0; c < width; c++) out[(1 + p) * width + c] = resized[c * rows * columns + p]!;
  return out;
}

/** Columns of a matrix product come in fours: the tokens behind the last are padding that no token attends to. */
const padded = (tokens: number) => Math.ceil(tokens / 4) * 4;

export interface Dinov2GraphOptions {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly positions: Dinov2Positions;
  /** Linear layers as matrix products. They store weights in the device's precision: for devices in f32. */
  readonly products: boolean;
}

/**
 * DINOv2 (Oquab et al. 2023; registers: Darcet et al. 2023): normalised pictures [N, 3, H, W] to the class token behind the last
 * layer normalisation [N, width]. The weights have their LayerScale folded in.
 */
export function dinov2Graph(
  graph: Graph,
  config: Dinov2Config,
  options: Dinov2GraphOptions,
): { images: Tensor; y: Tensor } {
  const { batch, height, width, positions, products } = options;
  const { width: channels, registers, hidden } = config;
  const [rows, columns] = [height / PATCH, width / PATCH];
  const patches = rows * columns;
  const first = 1 + registers;
  const real = first + patches;
  const tokens = padded(real);
  const images = graph.external("images", [batch, 3, height, width]);
  const embedding = { name: "patch_embed.proj", outChannels: channels, kernel: PATCH, stride: PATCH };
  const embedded = products
    ? productConvolutions(graph, [{ layer: embedding, to: [batch, channels, rows, columns] }], images)[0]!
    : convolution(graph, embedding, images);
  const table = graph.constant(`tokens of ${rows}x${columns}`, [channels, tokens], "f32", {
    sources: ["cls_token", "pos_embed", ...(registers > 0 ? ["register_tokens"] : [])],
    make([cls, stored, extra]) {
      const added = positionsFor(stored!, config, [rows, columns], positions);
      const out = new Float32Array(channels * tokens);
      for (let c = 0; c < channels; c++) {
        out[c * tokens] = cls![c]! + added[c]!;
        for (let r = 0; r < registers; r++) out[c * tokens + 1 + r] = extra![r * channels + c]!;
        for (let p = 0; p < patches; p++) out[c * tokens + first + p] = added[(1 + p) * channels + c]!;
      }
      return out;
    },
  });
  const placed = { images: batch, channels, patches, first, tokens };
  let x = graph.run("tokens", placeTokens, placed, { x: embedded, table }, { y: [batch, channels, tokens] }).y;
  const linear = (name: string, out: number, input: Tensor) => product(graph, name, out, input, products);
  const after = (name: string, input: Tensor, activation: "none" | "gelu", r?: Tensor) => {
    const out = input.shape[1]!;
    const b = graph.constant(`${name}.bias`, [out], "f32", plainRecipe(`${name}.bias`));
    const params = { images: batch, channels: out, columns: tokens, activation, residual: r !== undefined };
    return graph.run(`${name}.after`, biasAct, params, { x: input, b, r }, { y: input.shape }).y;
  };
  for (let i = 0; i < config.blocks; i++) {
    const name = `blocks.${i}`;
    const normed = layerNormalisation(graph, { name: `${name}.norm1` }, x);
    const qkv = after(`${name}.attn.qkv`, linear(`${name}.attn.qkv`, 3 * channels, normed), "none");
    const heads = { images: batch, heads: config.heads, headDim: channels / config.heads, tokens, keys: real };
    const { y } = graph.run(`${name}.attn`, tokenAttention, heads, { qkv }, { y: x.shape });
    x = after(`${name}.attn.proj`, linear(`${name}.attn.proj`, channels, y), "none", x);
    const second = layerNormalisation(graph, { name: `${name}.norm2` }, x);
    const [into, out] = config.gated ? ["w12", "w3"] : ["fc1", "fc2"];
    const wide = linear(`${name}.mlp.${into}`, config.gated ? 2 * hidden : hidden, second);
    let inner: Tensor;
    if (config.gated) {
      const b = graph.constant(
        `${name}.mlp.${into}.bias`,
        [2 * hidden],
        "f32",
        plainRecipe(`${name}.mlp.${into}.bias`),
      );
      const params = { images: batch, channels: hidden, columns: tokens };
      inner = graph.run(`${name}.mlp.gate`, swiglu, params, { x: wide, b }, { y: [batch, hidden, tokens] }).y;
    } else inner = after(`${name}.mlp.${into}`, wide, "gelu");
    x = after(`${name}.mlp.${out}`, linear(`${name}.mlp.${out}`, channels, inner), "none", x);
  }
  // Of the rows of tokens the first one: a window of one token, and steps past all the others.
  const window = { kernelHeight: 1, kernelWidth: 1, stride: tokens, padHeight: 0, padWidth: 0 };
  const one = { mode: "max", planes: batch * channels, height: 1, width: tokens, ...window } as const;
  const cls = graph.run("class token", pool2d, one, { x }, { y: [batch, channels, 1] }).y;
  const y = layerNormalisation(graph, { name: "norm" }, cls, graph.external("features", [batch, channels]));
  return { images, y };
}

/** A linear layer on every token, without its bias: [N, C, T] to [N, rows, T]. */
function product(graph: Graph, name: string, rows: number, x: Tensor, products: boolean): Tensor {
  const [batch, depth, columns] = x.shape as [number, number, number];
  const source = [`${name}.weight`];
  const shape = [batch, rows, columns];
  if (products) {
    const make = ([raw]: readonly Float32Array[]) => packGemmWeight(raw!, 1, rows, depth);
    const length = gemmWeightLength(1, rows, depth);
    const w = graph.constant(`${name}.weight`, [length], "weight", { sources: source, make });
    const params = { groups: 1, images: batch, rows, depth, columns, type: "f32", epilogue: { kind: "none" } } as const;
    return graph.run(name, gemm, params, { x, w }, { y: shape }).y;
  }
  const make = ([raw]: readonly Float32Array[]) => packConv2dWeight(raw!, rows, depth, 1);
  const w = graph.constant(`${name}.weight`, [conv2dWeightLength(rows, depth, 1)], "f32", { sources: source, make });
  const b = graph.constant(`${rows} zeros`, [rows], "f32", { sources: [], make: () => new Float32Array(rows) });
  const window = { kernelHeight: 1, kernelWidth: 1, stride: 1, padHeight: 0, padWidth: 0 };
  const params = {
    batch,
    inChannels: depth,
    outChannels: rows,
    activation: "none",
    height: 1,
    width: columns,
  } as const;
  return graph.run(name, conv2d, { ...params, ...window }, { x, w, b }, { y: shape }).y;
}
