import { type Checkpoint, type CheckpointInput, openCheckpoint } from "../../checkpoint/index.js";
import { bad } from "../../errors.js";
import type { Precision } from "../../gpu/contract.js";
import { Graph, type Target } from "../../graph/graph.js";
import { dinov2File } from "../../networks/features/dinov2-weights.js";
import { inceptionFile } from "../../networks/features/inception-weights.js";
import { featureModel } from "../../networks/features/load.js";
import { featureArchitecture, featureNetworkNames } from "../../networks/features/network.js";
import { buildDecoder } from "../../networks/vae/decoder.js";
import { vaeStructure } from "../../networks/vae/structure.js";

/** What a graph is planned for. */
export interface Planned {
  readonly batch: number;
  readonly precision: Precision;
  /** No profile of a GPU is given. */
  readonly software: boolean;
  readonly target: Target;
}

/** A network that takes no noise level, as `inspect` tells of it. */
export interface OtherNetwork {
  readonly architecture: string;
  readonly config: object;
  readonly tensors: number;
  readonly parameters: number;
  readonly sha256: string;
  build(planned: Planned): Promise<Graph>;
}

/** Side of the latents that the published networks of 512x512 make. */
const LATENT = 64;

/**
 * The decoder of a VAE (of its encoder nothing is told), or a feature network, where a file holds one.
 * @throws NcvsdError BAD_CHECKPOINT for one that is not whole
 */
export async function otherNetwork(input: CheckpointInput): Promise<OtherNetwork | undefined> {
  const file = await openCheckpoint(input, { ofAnyKind: true }).catch(() => undefined);
  if (!file) return undefined;
  try {
    const found = recognised(file, input);
    if (!found) return undefined;
    const shapes = [...file.tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    const facts = { tensors: shapes.length, parameters: shapes.reduce((a, b) => a + b, 0) };
    return { ...facts, ...(await found), sha256: await file.sha256() };
  } finally {
    await file.close();
  }
}

type Found = Pick<OtherNetwork, "architecture" | "config" | "build">;

function recognised(file: Checkpoint, input: CheckpointInput): Found | Promise<Found> | undefined {
  if (file.tensors.has("decoder.conv_in.weight")) {
    const structure = vaeStructure(file);
    const { attention: _, ...config } = structure;
    return {
      architecture: "the decoder of an AutoencoderKL",
      config: { ...config, latent: [LATENT, LATENT] },
      async build({ batch, target }) {
        if (batch !== 1) throw bad("a VAE decodes one latent at a time: leave out --batch.");
        return buildDecoder(structure, LATENT, LATENT, target).graph;
      },
    };
  }
  if (featureNetworkNames.includes(file.metadata.architecture ?? "")) {
    const architecture = featureArchitecture(file);
    const { name, input: shape, dim, classes } = architecture;
    return {
      architecture: name,
      config: { input: shape, dim, classes },
      async build({ batch }) {
        const graph = new Graph();
        architecture.build(graph, batch);
        return graph;
      },
    };
  }
  if (inceptionFile(file) === undefined && dinov2File(file) === undefined) return undefined;
  return features(file, input);
}

async function features(file: Checkpoint, input: CheckpointInput): Promise<Found> {
  const modelOn = (software: boolean, precision: Precision) => featureModel({ software, precision }, file, input);
  const { name, dims, variants, preparation } = await modelOn(true, "f32");
  const variant = variants[0];
  const [height, width] = preparation(variant).size;
  return {
    architecture: name,
    config: { input: [3, height, width], dim: dims },
    async build({ batch, precision, software }) {
      const graph = new Graph();
      (await modelOn(software, precision)).build(graph, variant, batch, height, width);
      return graph;
    },
  };
}
