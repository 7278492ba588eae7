import { type Checkpoint, type CheckpointInput, openCheckpoint } from "../../checkpoint/index.js";
import { bad, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph } from "../../graph/graph.js";
import { type Pooled, ProgramPool } from "../../graph/pool.js";
import { Program } from "../../graph/program.js";
import { WeightStore } from "../../layers/weights.js";
import type { ImageShape } from "../session.js";
import type { FeatureArchitecture, FeatureGraph } from "./architecture.js";
import { featureArchitecture } from "./network.js";

/** Features of a batch. */
export interface Features {
  /** [N, dim] */
  readonly features: Float32Array;
  /** The classifier's class of each image; absent without a head. */
  readonly predictions?: Int32Array;
}

/** Which network features come from. */
export interface FeatureSource {
  /** Of the architecture, as statistics name it. */
  readonly name: string;
  /** Of the weights. */
  readonly sha256: string;
  readonly dim: number;
  /** How pictures become its input, where there is a choice. */
  readonly variant?: string | undefined;
}

interface Prepared extends Pooled {
  readonly program: Program;
  readonly graph: FeatureGraph;
}

/** A feature network on a device. Close it, or the device, when done. */
export class FeatureExtractor {
  readonly gpu: Gpu;
  readonly architecture: FeatureArchitecture;
  readonly source: FeatureSource;
  /** Names of the classes, where the checkpoint has them. */
  readonly labels: readonly string[] | undefined;
  readonly #checkpoint: Checkpoint;
  readonly #weights: WeightStore;
  /** By batch. */
  readonly #idle: ProgramPool<number, Prepared>;
  readonly #forget: () => void;

  private constructor(gpu: Gpu, checkpoint: Checkpoint, architecture: FeatureArchitecture, sha256: string) {
    this.gpu = gpu;
    this.architecture = architecture;
    this.source = { name: architecture.name, sha256, dim: architecture.dim };
    this.labels = classNames(checkpoint.metadata.labels, architecture.classes);
    this.#checkpoint = checkpoint;
    this.#weights = new WeightStore(gpu, checkpoint);
    this.#idle = new ProgramPool(gpu);
    this.#forget = gpu.onClose(() => void checkpoint.close());
  }

  /** @throws BAD_CHECKPOINT when the file holds no feature network that is known */
  static async open(gpu: Gpu, input: CheckpointInput): Promise<FeatureExtractor> {
    const checkpoint = await openCheckpoint(input);
    try {
      const architecture = featureArchitecture(checkpoint);
      return new FeatureExtractor(gpu, checkpoint, architecture, await checkpoint.sha256());
    } catch (error) {
      await checkpoint.close();
      throw error;
    }
  }

  get input(): ImageShape {
    return this.architecture.input;
  }

  /**
   * Features of images, [N, C, H, W] in [-1, 1]. An image's features do not depend on the others of the batch.
   * @throws BAD_ARGUMENT when the values fill no whole images
   */
  async extract(images: Float32Array): Promise<Features> {
    const one = this.input.reduce((a, b) => a * b, 1);
    const batch = images.length / one;
    if (!Number.isInteger(batch) || batch === 0) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${images.length} values are no images of ${this.input.join("x")} for ${this.architecture.name}`,
      );
    }
    if (this.#idle.closed) throw bad(`The feature network ${this.architecture.name} is closed: open it again.`);
    const prepared = this.#idle.take(batch) ?? (await this.#prepare(batch));
    const { program, graph } = prepared;
    const { gpu } = this;
    try {
      gpu.write(program.buffer(graph.images), images);
      await program.run();
      const { dim, classes } = this.architecture;
      const features = await gpu.readF32(program.buffer(graph.features), batch * dim);
      if (!graph.logits) return { features };
      const logits = await gpu.readF32(program.buffer(graph.logits), batch * classes);
      return { features, predictions: largest(logits, classes) };
    } finally {
      this.#idle.give(batch, prepared);
    }
  }

  async close(): Promise<void> {
    this.#forget();
    this.#idle.close();
    this.#weights.destroy();
    await this.#checkpoint.close();
  }

  async #prepare(batch: number): Promise<Prepared> {
    const graph = new Graph();
    const built = this.architecture.build(graph, batch);
    await this.#weights.load(graph);
    const label = `${this.architecture.name} at batch ${batch}`;
    const program = await Program.create(this.gpu, { label, graph, constants: this.#weights });
    return { program, graph: built, bytes: program.bytes, destroy: () => program.destroy() };
  }
}

function largest(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, n) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[n * classes + c]! > logits[n * classes + best]!) best = c;
    return best;
  });
}

function classNames(text: string | undefined, classes: number): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(text ?? "null");
    return Array.isArray(names) && names.length === classes ? names.map(String) : undefined;
  } catch {
    return undefined;
  }
}
