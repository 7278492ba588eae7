import { total } from "../../kernels/network/total/kernel.js";
import { normal } from "../../kernels/sampling/normal/kernel.js";
import { diffuse } from "../../kernels/training/diffuse/kernel.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import type { Program, Region } from "../graph/program.js";
import { stage } from "../graph/stage.js";
import { trained } from "../layers/trained.js";
import type { NetworkConfig } from "../networks/edm2/arguments.js";
import type { NetworkGraph } from "../networks/edm2/network.js";
import { buildNetwork } from "../networks/edm2/network.js";
import { labelRows } from "../networks/inputs.js";
import type { Labels } from "../networks/session.js";
import { DRAWS, levelDraw } from "./draws.js";
import { denoisingLoss } from "./losses.js";
import type { Optimiser } from "./optimiser.js";
import { parameterGradients, roundProgram, storedRegions } from "./round.js";
import type { WorkerSum } from "./sums.js";
import type { UpdateSizes } from "./updates.js";

export interface TeacherSettings extends UpdateSizes {
  readonly lossScaling: number;
  readonly pMean: number;
  readonly pStd: number;
}

export interface RoundInput {
  readonly images: Float32Array;
  readonly labels?: Labels | undefined;
  readonly rndNormal?: ArrayLike<number> | undefined;
  readonly noise?: Float32Array | undefined;
}

/**
 * One round of a teacher's training, ready to be replayed: y = x0 + sigma n, D and u of the network in training mode, the
 * denoising loss lambda e^-u (D - x0)^2 + u summed over images, channels and pixels and divided by the update's batch, and the
 * gradients of all parameters.
 */
export class TeacherRound {
  readonly #gpu: Gpu;
  readonly #settings: TeacherSettings;
  readonly #network: NetworkGraph;
  readonly #program: Program;
  readonly #loss: Tensor;
  readonly #buffers: Readonly<Record<string, GPUBuffer>>;
  readonly #noise: Program;
  readonly #mix: Program;
  readonly #total: Program;
  readonly #owned: readonly { destroy(): void }[];

  private constructor(gpu: Gpu, settings: TeacherSettings, parts: PreparedRound) {
    this.#gpu = gpu;
    this.#settings = settings;
    this.#network = parts.network;
    this.#program = parts.program;
    this.#loss = parts.loss;
    this.#buffers = parts.buffers;
    this.#noise = parts.noise;
    this.#mix = parts.mix;
    this.#total = parts.total;
    this.#owned = parts.owned;
  }

  static async create(
    gpu: Gpu,
    config: NetworkConfig,
    settings: TeacherSettings,
    optimiser: Optimiser,
    sums: WorkerSum,
  ): Promise<TeacherRound> {
    const { batchGpu: batch, rounds } = settings;
    const layers = trained();
    const network = buildNetwork("edm2", config, batch, { capture: new Set(["logvar"]), layers: layers.layers });
    const { graph, denoised, sigma } = network;
    const u = network.taps.get("logvar")!;
    const elements = denoised.length / batch;
    const images = graph.external("images", denoised.shape);
    const factor = settings.lossScaling / settings.batch;
    const parameters = { batch, elements, sigmaData: config.sigma_data, factor };
    const { loss, dD, du } = denoisingLoss(graph, "loss", parameters, { D: denoised, x0: images, t: sigma, u });
    graph.publish(loss, "loss");
    const seeds = new Map([
      [denoised, dD],
      [u, du],
    ]);
    const gradients = parameterGradients(graph, layers, optimiser.layout, seeds);
    const owned: { destroy(): void }[] = [];
    try {
      const buffer = (label: string, length: number) => {
        const made = gpu.storage(label, 4 * length);
        owned.push({ destroy: () => gpu.destroyBuffer(made) });
        return made;
      };
      const size = batch * elements;
      const buffers = await gpu.scoped("Images of a round", () => ({
        images: buffer("images", size),
        noise: buffer("noise", size),
        x: buffer("noisy images", size),
        sigma: buffer("noise levels", batch),
        loss: buffer("loss", size),
        keys: buffer("keys", batch),
        draw: buffer("draw", 1),
        sum: buffer("sum of the loss", 1),
        sums: buffer("sums of the loss", rounds),
      }));
      const externals = new Map<string, GPUBuffer | Region>([
        ...storedRegions(layers, optimiser.parameters),
        ["x", buffers.x],
        ["images", buffers.images],
        ["sigma", buffers.sigma],
        ["loss", buffers.loss],
      ]);
      const own = <T extends { destroy(): void }>(item: T): T => {
        owned.push(item);
        return item;
      };
      const program = own(await roundProgram(gpu, "training", graph, gradients.keys(), sums.round, externals));
      const { keys, draw, noise: z, sigma: level, images: x0 } = buffers;
      const noise = own(await stage(gpu, "noise", normal, { batch, elements }, { seeds: keys, draw, z }));
      const mix = own(
        await stage(gpu, "diffuse", diffuse, { batch, elements }, { x: x0, sigma: level, z, y: buffers.x }),
      );
      const summed = { count: size, index: 0, length: 1 };
      const total_ = own(await stage(gpu, "loss", total, summed, { x: buffers.loss, y: buffers.sum }));
      return new TeacherRound(gpu, settings, { network, program, loss, buffers, noise, mix, total: total_, owned });
    } catch (error) {
      for (const item of owned.reverse()) item.destroy();
      gpu.flushDestroyed();
      throw error;
    }
  }

  /**
   * Leaves the gradients in the round's bank.
   * @param keys of the images' draws  @param index of the round in its update, for its loss
   */
  async run({ images, labels, rndNormal, noise }: RoundInput, keys: readonly number[], index: number): Promise<void> {
    const { batchGpu: batch, pMean, pStd } = this.#settings;
    const { denoised, labels: labelTensor } = this.#network;
    const gpu = this.#gpu;
    const size = denoised.length;
    for (const [name, values] of Object.entries({ images, noise }))
      if (values && !(values instanceof Float32Array && values.length === size))
        throw bad(
          `a round's ${name} must be a Float32Array of [${denoised.shape}], ${size} values, got ${values.length}.`,
        );
    const normals = rndNormal ?? keys.map((key) => levelDraw(key));
    if (normals.length !== batch)
      throw bad(`a round's rndNormal must have one value for each of ${batch} images, got ${normals.length}.`);
    const b = this.#buffers as Record<string, GPUBuffer>;
    gpu.write(b.images!, images);
    gpu.write(
      b.sigma!,
      Float32Array.from(normals, (n) => Math.exp(pMean + pStd * n)),
    );
    if (labelTensor) gpu.write(this.#program.buffer(labelTensor), labelRows(labels, batch, labelTensor.length / batch));
    if (noise) gpu.write(b.noise!, noise);
    else {
      gpu.write(b.keys!, Uint32Array.from(keys));
      gpu.write(b.draw!, Uint32Array.of(DRAWS.noise));
      await this.#noise.run();
    }
    await this.#mix.run();
    await this.#program.run();
    await this.#total.run();
    const encoder = gpu.device.createCommandEncoder();
    encoder.copyBufferToBuffer(b.sum!, 0, b.sums!, 4 * index, 4);
    gpu.device.queue.submit([encoder.finish()]);
  }

  /** Mean loss of each of the last update's rounds. */
  async losses(rounds: number): Promise<number[]> {
    const sums = await this.#gpu.readF32(this.#buffers.sums!, Math.max(1, rounds));
    return Array.from(sums.subarray(0, rounds), (sum) => sum / this.#loss.length);
  }

  /** What the last round computed: sigma, D, logvar, and the loss of each entry. */
  async recorded(): Promise<Map<string, Float32Array>> {
    const { denoised, sigma, taps } = this.#network;
    const wanted: [string, Tensor][] = [
      ["sigma", sigma],
      ["D", denoised],
      ["logvar", taps.get("logvar")!],
      ["loss", this.#loss],
    ];
    const read = new Map<string, Float32Array>();
    for (const [name, tensor] of wanted) read.set(name, await this.#program.readTensor(tensor));
    return read;
  }

  destroy(): void {
    for (const item of this.#owned) item.destroy();
    this.#gpu.flushDestroyed();
  }
}

interface PreparedRound {
  readonly network: NetworkGraph;
  readonly program: Program;
  readonly loss: Tensor;
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  readonly noise: Program;
  readonly mix: Program;
  readonly total: Program;
  readonly owned: readonly { destroy(): void }[];
}
