import { type CheckpointInput, type FetchOptions, openCheckpoint } from "../../checkpoint/index.js";
import { bad, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { batchOf } from "../inputs.js";
import type { Denoiser, DenoiserSession, ImageShape, Labels } from "../session.js";
import type { NetworkConfig } from "./arguments.js";
import { parseConfig } from "./config.js";
import { Model } from "./loaded.js";
import { validateTensors } from "./names.js";
import { networkFile } from "./published.js";

/** What a checkpoint of a model of images without noise levels calls itself; its `config` is that of an EDM2 network. */
export const TIMELESS = "disco-unet";

/**
 * EDM2's preconditioning with sigma = sigma_data = 1/sqrt(2) is D(x) = x/2 + F(x), x unscaled, with F half of what the U-Net gives
 * (its last gain is learned) and its noise label a constant: DISCO's model of images (Wedenig and Peharz, appendix D) is an EDM2
 * network that sees this level whatever the image.
 */
export const TIMELESS_SIGMA = Math.fround(Math.SQRT1_2);

/**
 * Loads DISCO's model of images, D(x) = x/2 + F(x), which no noise level enters: (D(x) - x) / sigma(0)^2 is the score of the data
 * smoothed with sigma(0). `sampleHeun` takes it as any denoiser.
 * @param input a checkpoint (`architecture` "disco-unet"), as `openTraining` with `disco` and `disco train` make them
 * @throws NcvsdError BAD_CHECKPOINT, OUT_OF_MEMORY
 */
export async function loadDiscoImages(
  gpu: Gpu,
  input: CheckpointInput,
  options: FetchOptions = {},
): Promise<DiscoImageModel> {
  if (typeof gpu?.check !== "function") throw bad("loadDiscoImages: the first argument must be what openGpu() gives.");
  gpu.check();
  const checkpoint = await openCheckpoint(networkFile(input), options);
  try {
    const { name, tensors, metadata } = checkpoint;
    if (metadata.architecture !== TIMELESS)
      throw new NcvsdError(
        "BAD_CHECKPOINT",
        `'${name}' is no model of images without noise levels: its metadata say architecture ${JSON.stringify(metadata.architecture ?? "")}, not "${TIMELESS}".`,
      );
    const sigmaMin = Number(metadata.sigma_min);
    if (!(sigmaMin > 0 && sigmaMin < Number.POSITIVE_INFINITY))
      throw new NcvsdError("BAD_CHECKPOINT", `'${name}': sigma_min in its metadata is no positive number.`);
    const { architecture, config } = parseConfig({ name, tensors, metadata: { ...metadata, architecture: "edm2" } });
    validateTensors(checkpoint, architecture, config);
    const network = new Model(gpu, checkpoint, architecture, config, undefined);
    await network.prepare();
    return new DiscoImageModel(network, sigmaMin);
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** A model of images without noise levels on a device. Close it, or the device, when done. */
export class DiscoImageModel implements Denoiser {
  readonly gpu: Gpu;
  readonly config: NetworkConfig;
  readonly shape: ImageShape;
  readonly labelDim = 0;
  /** sigma(0), the smoothing of the data. */
  readonly sigmaMin: number;
  readonly #network: Model;

  /** Use `loadDiscoImages`, which checks. */
  constructor(network: Model, sigmaMin: number) {
    this.gpu = network.gpu;
    this.config = network.config;
    this.shape = network.shape;
    this.sigmaMin = sigmaMin;
    this.#network = network;
  }

  /** D(x), the mean of the data near x. @param x N*C*H*W values in [-1, 1] and noise  @returns as many */
  denoise({ x }: { readonly x: Float32Array }): Promise<Float32Array> {
    return this.#network.denoise({ x, sigma: TIMELESS_SIGMA });
  }

  /** (D(x) - x) / sigma(0)^2, the gradient of the log density of the smoothed data. */
  async score({ x }: { readonly x: Float32Array }): Promise<Float32Array> {
    batchOf("x", x, this.shape);
    const denoised = await this.denoise({ x });
    return denoised.map((d, i) => (d - x[i]!) / this.sigmaMin ** 2);
  }

  async openDenoiser(batch: number, labels: Labels | undefined): Promise<DenoiserSession> {
    const session = await this.#network.openDenoiser(batch, labels);
    this.gpu.write(session.sigma, new Float32Array(batch).fill(TIMELESS_SIGMA));
    // What samplers say of the level is not heard.
    const sigma = this.gpu.storage("unheard level", 4 * batch);
    return {
      ...session,
      sigma,
      release: () => {
        this.gpu.destroyBuffer(sigma);
        session.release();
      },
    };
  }

  largestBatch(atMost?: number): number {
    return this.#network.largestBatch(atMost);
  }

  close(): Promise<void> {
    return this.#network.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
