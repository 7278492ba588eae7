import { basename } from "node:path";
import type { Checkpoint } from "../../checkpoint/index.js";
import { openCheckpoint } from "../../checkpoint/index.js";
import { bad, counted } from "../../errors.js";
import { type Gpu, mib } from "../../gpu/device.js";
import { estimateEvaluation } from "../../measure/estimate.js";
import { parseConfig } from "../../networks/edm2/config.js";
import { Model } from "../../networks/edm2/loaded.js";
import { validateTensors } from "../../networks/edm2/names.js";
import { networkPreset, type Preset, parameterCount } from "../../networks/edm2/presets.js";
import { published } from "../../networks/edm2/published.js";
import { formatDuration } from "../../runs/progress.js";
import { BATCH, type FetchFlags, fetching, namedNetwork } from "./engine.js";

export const DRY_RUN_HELP =
  "say what the run would take (memory, layers in parts, about how long) and stop; a network known by name is not fetched";

/** A reverse pass beside an evaluation, on the adapters that were measured: 1.05 to 1.4 (docs/add-a-sampler.md). */
const DERIVATIVE = 1.2;

/**
 * A model without its weights: of a published network by its name alone, of a file by its head.
 * @throws NcvsdError BAD_CHECKPOINT
 */
export async function outline(gpu: Gpu, path: string, flags: FetchFlags, silent: boolean): Promise<Model> {
  const known = knownNetwork(path);
  if (known) return new Model(gpu, nothingOf(basename(path)), known.architecture, known.config, undefined);
  const checkpoint = await fetching(flags, silent, (options) => openCheckpoint(namedNetwork(path), options));
  try {
    const { architecture, config, labels } = parseConfig(checkpoint);
    validateTensors(checkpoint, architecture, config);
    return new Model(gpu, checkpoint, architecture, config, labels);
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** A published network, or one's guide, by its name or address: what it is needs no download. */
function knownNetwork(path: string): Preset | undefined {
  const addresses = Object.values(published).flatMap(({ net, gnet }) => [net, gnet]);
  if (!Object.hasOwn(published, path) && !addresses.includes(path)) return undefined;
  const [name] = /(edm2|ncvsd)-[a-z]+\d+-[a-z]+/.exec(basename(path))!;
  const preset = networkPreset(name);
  if (preset.architecture === "ncvsd" || !basename(path).includes("uncond-")) return preset;
  return { ...preset, config: { ...preset.config, label_dim: 0 } };
}

function nothingOf(name: string): Checkpoint {
  const none = () => Promise.reject(bad(`${name} has not been fetched`));
  return {
    name,
    metadata: {},
    tensors: new Map(),
    readBytes: none,
    readF32: none,
    sha256: none,
    close: async () => {},
  };
}

export interface Wanted {
  readonly images: number;
  /** Absent: as many as fit. */
  readonly batch: number | undefined;
  /** Of one image. */
  readonly evaluations: number;
  readonly derivatives?: number;
}

/** What a run would take. Bytes; seconds without loading and pipelines. */
export async function dryRun(gpu: Gpu, model: Model, { images, batch: asked, evaluations, derivatives = 0 }: Wanted) {
  const wished = Math.min(asked ?? BATCH, images);
  const batch = Math.max(1, model.largestBatch(wished));
  const { plan, network } = model.planFor(batch);
  const split = network.graph.nodes.flatMap(({ name }) => /^(.+) \d+\/\d+/.exec(name)?.[1] ?? []);
  const peakBytes = plan.constantBytes + plan.activationBytes + plan.externalBytes;
  const { memoryLimit } = gpu;
  const weightBytes = plan.constantBytes;
  // What the weights leave.
  const others = memoryLimit === undefined ? undefined : memoryLimit - weightBytes - gpu.allocatedBytes;
  const fits = others === undefined || others >= plan.activationBytes + plan.externalBytes;
  const secondsPerEvaluation = fits ? (await estimateEvaluation(gpu, network.graph)) / batch : null;
  const turns = evaluations + DERIVATIVE * derivatives;
  return {
    network: model.checkpoint.name,
    architecture: model.architecture,
    shape: model.shape,
    parameters: parameterCount(model.architecture, model.config),
    adapter: gpu.info.name,
    precision: gpu.precision,
    images,
    batch,
    tooLarge: asked !== undefined && batch < wished ? asked : null,
    evaluations,
    derivatives,
    flops: plan.flops / batch,
    memory: { weightBytes, activationBytes: plan.activationBytes, peakBytes, limit: memoryLimit ?? null, fits },
    layersInParts: [...new Set(split)].length,
    secondsPerEvaluation,
    seconds: secondsPerEvaluation === null ? null : secondsPerEvaluation * turns * images,
  };
}

const told = (seconds: number) => (seconds < 10 ? `${seconds.toPrecision(2)} s` : formatDuration(seconds));

type Facts = Awaited<ReturnType<typeof dryRun>>;

function lines(facts: Facts): string[] {
  const { memory, shape, batch, images, evaluations, derivatives, layersInParts, secondsPerEvaluation, seconds } =
    facts;
  const limit = memory.limit === null ? "" : ` of ${mib(memory.limit)}${memory.fits ? "" : ": it does not fit"}`;
  const more = derivatives > 0 ? ` and ${counted(derivatives, "derivative")}` : "";
  const size = `${Math.round(facts.parameters / 1e6)} M parameters, ${shape.join("x")}`;
  return [
    `network   ${basename(facts.network)} (${facts.architecture}), ${size}`,
    `adapter   ${facts.adapter}, ${facts.precision}`,
    `images    ${images}, ${batch} at a time, ${counted(evaluations, "evaluation")}${more} each`,
    ...(facts.tooLarge === null
      ? []
      : [`          --batch ${facts.tooLarge} is more than fits this adapter: give --batch ${batch}`]),
    `memory    ${mib(memory.peakBytes)}${limit}: weights ${mib(memory.weightBytes)},`,
    `          activations ${mib(memory.activationBytes)}`,
    `layers    ${layersInParts === 0 ? "whole" : `${layersInParts} in parts, since a buffer is bound only so large`}`,
    secondsPerEvaluation === null || seconds === null
      ? "time      unknown: try a smaller --batch, or --precision f16-weights"
      : `time      about ${formatDuration(seconds)} besides loading, ${told(secondsPerEvaluation)} an evaluation of an image`,
  ];
}

/** Says it on stdout: of the network, and of its guide. */
export function tellDryRun(networks: readonly Facts[], json: boolean | undefined): void {
  const [facts, guide] = networks;
  const text = json
    ? JSON.stringify({ dryRun: true, ...facts, ...(guide ? { guide } : {}) })
    : [
        ...networks.flatMap((one, i) => (i === 0 ? lines(one) : ["and its guide", ...lines(one)])),
        "Nothing was made.",
      ].join("\n");
  process.stdout.write(`${text}\n`);
}
