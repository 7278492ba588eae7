/**
 * Decoding in strips: the up blocks, where the tensors are large, are cut into stages between the group normalisations. A stage
 * runs over horizontal strips with one row of its neighbours on each side, which is all that a 3x3 convolution sees, and its
 * map waits in the host's memory. The statistics of every normalisation are those of the whole map, so that there are no
 * seams: strips change nothing but rounding, and cost a few rows that are computed twice.
 */
import { NcvsdError } from "../../errors.js";
import { Graph, type Tensor, targetOf } from "../../graph/graph.js";
import { Program } from "../../graph/program.js";
import {
  convolution,
  EPS,
  type FeatureMap,
  GROUPS,
  normalise,
  resnetHead,
  resnetTail,
  settle,
  upsample,
} from "./layers.js";
import { misfit } from "./memory.js";
import { decodeMiddle, type HostMap } from "./middle.js";
import type { LoadedVae } from "./structure.js";
import { upload } from "./upload.js";

interface Stage {
  readonly name: string;
  /** Of one size. */
  readonly inputs: readonly HostMap[];
  /** Group normalisation of the first input, whole. */
  readonly norm?: string;
  /** Rows of the result for a row of the inputs. */
  readonly scale: 1 | 2;
  build(graph: Graph, inputs: readonly FeatureMap[], norm: Tensor | undefined): FeatureMap;
}

interface StageGraph {
  readonly graph: Graph;
  readonly inputs: readonly Tensor[];
  readonly affine: Tensor | undefined;
  readonly result: Tensor;
}

/** One raw latent [1, C, H, W] to its picture. @param stripRows most rows of a strip, at any resolution */
export async function decodeInStrips(
  vae: LoadedVae,
  latent: Float32Array,
  height: number,
  width: number,
  stripRows?: number,
): Promise<Float32Array> {
  const { structure } = vae;
  const run = (stage: Stage) => runStage(vae, stage, stripRows);
  let x = await decodeMiddle(vae, latent, height, width, stripRows);
  for (const [i, own] of structure.channels.entries()) {
    for (let j = 0; j < structure.resnets; j++) {
      const name = `decoder.up_blocks.${i}.resnets.${j}`;
      const head: Stage = {
        name: `${name}.head`,
        inputs: [x],
        norm: `${name}.norm1`,
        scale: 1,
        build: (graph, [map], norm) => resnetHead(graph, name, own, map!, norm!),
      };
      const h = await run(head);
      const tail: Stage = {
        name: `${name}.tail`,
        inputs: [h, x],
        norm: `${name}.norm2`,
        scale: 1,
        build: (graph, [map, trunk], norm) => resnetTail(graph, name, map!, norm!, trunk!),
      };
      x = await run(tail);
    }
    if (i === structure.channels.length - 1) continue;
    const name = `decoder.up_blocks.${i}.upsamplers.0`;
    x = await run({ name, inputs: [x], scale: 2, build: (graph, [map]) => upsample(graph, name, map!) });
  }
  const last = await run({
    name: "decoder.conv_out",
    inputs: [x],
    norm: "decoder.conv_norm_out",
    scale: 1,
    build(graph, [map], norm) {
      const normal = normalise(graph, "decoder.conv_norm_out", map!, norm!, true);
      return convolution(graph, "decoder.conv_out", { outChannels: structure.imageChannels, kernel: 3 }, normal);
    },
  });
  return last.data;
}

async function runStage(vae: LoadedVae, stage: Stage, stripRows = Number.POSITIVE_INFINITY): Promise<HostMap> {
  const { gpu, weights } = vae;
  const { inputs, scale } = stage;
  const { height, width } = inputs[0]!;
  const norm = stage.norm === undefined ? undefined : await affineOf(vae, stage.norm, inputs[0]!);
  const { rows, strip, network } = chooseRows(vae, stage, Math.max(1, Math.min(height, stripRows)));
  await weights.load(network.graph);
  const options = { label: `${stage.name}, ${strip} rows`, graph: network.graph, constants: weights };
  const program = await Program.create(gpu, options);
  try {
    const channels = network.result.shape[1]!;
    const size = { channels, height: height * scale, width: width * scale };
    const out: HostMap = { ...size, data: new Float32Array(channels * size.height * size.width) };
    if (norm) gpu.write(program.buffer(network.affine!), norm);
    for (let top = 0; top < height; top += rows) {
      const bottom = Math.min(height, top + rows);
      // One height for all, so that there is one program: at the edges a strip has more neighbours on one side.
      const first = Math.min(Math.max(0, top - 1), height - strip);
      inputs.forEach((map, i) => {
        upload(gpu, program, network.inputs[i]!, rowsOf(map, first, strip));
      });
      await program.run();
      const part = { ...size, height: strip * scale, data: await program.readTensor(network.result) };
      copyRows(part, (top - first) * scale, out, top * scale, (bottom - top) * scale);
    }
    return out;
  } finally {
    program.destroy();
  }
}

function buildStage({ gpu }: LoadedVae, stage: Stage, rows: number): StageGraph {
  const graph = new Graph(targetOf(gpu));
  const { width } = stage.inputs[0]!;
  const maps = stage.inputs.map(({ channels }, i) => {
    const tensor = graph.external(`input ${i}`, [1, channels, rows, width], "act");
    return { tensor, channels, height: rows, width };
  });
  const affine = stage.norm === undefined ? undefined : graph.external("affine", [maps[0]!.channels, 2]);
  const y = stage.build(graph, maps, affine);
  const result = graph.external("result", y.tensor.shape, "act");
  settle(graph, `${stage.name}.out`, y, result);
  return { graph, inputs: maps.map((map) => map.tensor), affine, result };
}

interface Cut {
  /** Rows of the inputs whose results a strip yields. */
  readonly rows: number;
  /** Rows of the inputs that it sees: two more, or all. */
  readonly strip: number;
  readonly network: StageGraph;
}

/** As many rows as fit. */
function chooseRows(vae: LoadedVae, stage: Stage, most: number): Cut {
  const { height } = stage.inputs[0]!;
  for (let rows = most; ; rows = Math.ceil(rows / 2)) {
    const strip = Math.min(height, rows + 2);
    const network = buildStage(vae, stage, strip);
    const reason = misfit(vae, network.graph, network.result);
    if (reason === undefined) return { rows: strip === height ? height : rows, strip, network };
    if (rows > 1) continue;
    throw new NcvsdError(
      "OUT_OF_MEMORY",
      `Decoding with the VAE does not fit ${vae.gpu.info.name} even in strips of one row: ${stage.name}, ${reason}.`,
    );
  }
}

/** Scale and shift [C, 2] of a group normalisation of a whole map. */
async function affineOf(vae: LoadedVae, name: string, map: HostMap): Promise<Float32Array> {
  const gamma = await vae.checkpoint.readF32(`${name}.weight`, { weights: true });
  const beta = await vae.checkpoint.readF32(`${name}.bias`);
  const { channels, data } = map;
  const width = channels / GROUPS;
  const length = data.length / GROUPS;
  const out = new Float32Array(2 * channels);
  for (let g = 0; g < GROUPS; g++) {
    let sum = 0;
    for (let i = g * length; i < (g + 1) * length; i++) sum += data[i]!;
    const mean = sum / length;
    let squares = 0;
    for (let i = g * length; i < (g + 1) * length; i++) squares += (data[i]! - mean) ** 2;
    for (let c = g * width; c < (g + 1) * width; c++) {
      const scale = gamma[c]! / Math.sqrt(squares / length + EPS);
      out[2 * c] = scale;
      out[2 * c + 1] = beta[c]! - mean * scale;
    }
  }
  return out;
}

function rowsOf(map: HostMap, first: number, rows: number): Float32Array {
  if (rows === map.height) return map.data;
  const part = { ...map, height: rows, data: new Float32Array(map.channels * rows * map.width) };
  copyRows(map, first, part, 0, rows);
  return part.data;
}

/** Copies rows of every channel between maps of one width. */
function copyRows(from: HostMap, fromRow: number, to: HostMap, toRow: number, rows: number): void {
  const { width } = from;
  for (let c = 0; c < from.channels; c++) {
    const start = (c * from.height + fromRow) * width;
    to.data.set(from.data.subarray(start, start + rows * width), (c * to.height + toRow) * width);
  }
}
