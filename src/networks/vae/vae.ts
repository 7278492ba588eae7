import { type Checkpoint, type CheckpointInput, openCheckpoint } from "../../checkpoint/index.js";
import { bad, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { targetOf } from "../../graph/graph.js";
import { Program } from "../../graph/program.js";
import { nonFiniteNode } from "../../graph/trace.js";
import { WeightStore } from "../../layers/weights.js";
import { buildDecoder, type DecoderGraph } from "./decoder.js";
import { buildEncoder } from "./encoder.js";
import { LATENT_CHANNELS, toRawLatents } from "./latents.js";
import { misfit } from "./memory.js";
import { decodeInStrips } from "./strips.js";
import { encoderTensors, type LoadedVae, requireTensors, type VaeStructure, vaeStructure } from "./structure.js";
import { upload } from "./upload.js";

export interface DecodeOptions {
  /**
   * Decode in strips of at most this many rows (of the present resolution), so that little memory is needed; the result is the
   * same up to rounding. Default: strips only where the whole does not fit the adapter.
   */
  readonly stripRows?: number;
}

interface WholeDecoder {
  readonly key: string;
  readonly network: DecoderGraph;
  readonly program: Program;
}

/** Stability's VAE (AutoencoderKL) on a device. */
export class Vae implements LoadedVae {
  readonly gpu: Gpu;
  readonly checkpoint: Checkpoint;
  readonly structure: VaeStructure;
  /** Pixels of a latent's side. */
  readonly factor: number;
  readonly weights: WeightStore;
  readonly #forget: () => void;
  #closed = false;
  #whole: WholeDecoder | undefined;

  private constructor(gpu: Gpu, checkpoint: Checkpoint, structure: VaeStructure) {
    this.gpu = gpu;
    this.checkpoint = checkpoint;
    this.structure = structure;
    this.factor = 2 ** (structure.channels.length - 1);
    this.weights = new WeightStore(gpu, checkpoint);
    this.#forget = gpu.onClose(() => void checkpoint.close());
  }

  /**
   * Opens a VAE in safetensors with diffusers' tensor names, such as sd-vae-ft-mse; weights are loaded by the first decoding.
   * @throws NcvsdError BAD_CHECKPOINT when the decoder is not whole
   */
  static async open(gpu: Gpu, input: CheckpointInput): Promise<Vae> {
    const checkpoint = await openCheckpoint(input);
    try {
      return new Vae(gpu, checkpoint, vaeStructure(checkpoint));
    } catch (error) {
      await checkpoint.close();
      throw error;
    }
  }

  /**
   * Latents of a network ("final" ones, [N, 4, H, W]) to pictures [N, 3, 8 H, 8 W] whose values from 0 to 1 are black to white;
   * they may lie outside.
   * @throws NcvsdError BAD_ARGUMENT for other shapes, NOT_FINITE, OUT_OF_MEMORY
   */
  async decode(
    latents: Float32Array,
    shape: readonly [number, number, number, number],
    options: DecodeOptions = {},
  ): Promise<{ images: Float32Array; shape: [number, number, number, number] }> {
    this.#check();
    const [n, channels, height, width] = shape;
    const { latentChannels, imageChannels } = this.structure;
    if (channels !== latentChannels || channels !== LATENT_CHANNELS) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `The VAE decodes latents of ${latentChannels} channels (${LATENT_CHANNELS} are known), but these have ${channels}.`,
      );
    }
    if ((height * width) % 4 !== 0 || latents.length !== n * channels * height * width) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `Latents [${shape.join(", ")}] cannot be decoded: height times width has to be a multiple of 4, and ${latents.length} values were given.`,
      );
    }
    const raw = toRawLatents(latents, height * width);
    const one = channels * height * width;
    const size = imageChannels * height * width * this.factor ** 2;
    const images = new Float32Array(n * size);
    const whole = options.stripRows === undefined && this.fitsWhole(height, width);
    // Strips get the memory that a whole decoder held.
    if (!whole) this.#release();
    for (let i = 0; i < n; i++) {
      const latent = raw.subarray(i * one, (i + 1) * one);
      const image = whole
        ? await this.#decodeWhole(latent, height, width)
        : await decodeInStrips(this, latent, height, width, options.stripRows);
      if (!image.every((v) => Number.isFinite(v))) throw await this.#notFinite();
      images.set(image, i * size);
    }
    return { images, shape: [n, imageChannels, height * this.factor, width * this.factor] };
  }

  /** Whether all of the decoder fits the adapter's limits at once for latents of this size. */
  fitsWhole(height: number, width: number): boolean {
    if (this.#whole?.key === keyOf(height, width)) return true;
    const { graph, result } = buildDecoder(this.structure, height, width, targetOf(this.gpu));
    // A decoder of another size makes room for this one.
    const plan = this.#whole?.program.plan;
    const freed = plan ? plan.activationBytes + plan.externalBytes : 0;
    return misfit(this, graph, result, { freed }) === undefined;
  }

  #release(): void {
    this.#whole?.program.destroy();
    this.#whole = undefined;
  }

  async #decodeWhole(latent: Float32Array, height: number, width: number): Promise<Float32Array> {
    const key = keyOf(height, width);
    // Taken, so that nobody else writes into it, or destroys it, meanwhile.
    const kept = this.#whole;
    this.#whole = undefined;
    if (kept && kept.key !== key) kept.program.destroy();
    const whole = kept?.key === key ? kept : await this.#openWhole(key, height, width);
    try {
      upload(this.gpu, whole.program, whole.network.latent, latent);
      await whole.program.run();
      return await whole.program.readTensor(whole.network.result);
    } finally {
      this.#release();
      this.#whole = whole;
      if (this.#closed) this.#release();
    }
  }

  async #openWhole(key: string, height: number, width: number): Promise<WholeDecoder> {
    const network = buildDecoder(this.structure, height, width, targetOf(this.gpu));
    await this.weights.load(network.graph);
    const label = `VAE decoder of ${key}`;
    const program = await Program.create(this.gpu, { label, graph: network.graph, constants: this.weights });
    return { key, network, program };
  }

  /**
   * Pictures [N, 3, H, W] with values from 0 (black) to 1 (white), which is how the networks' data sets were encoded, to the
   * distributions of their raw latents: [N, 8, H / 8, W / 8], four means and four standard deviations. A latent of a network
   * is `toFinalLatents(mean + std * noise)`.
   * @throws NcvsdError BAD_CHECKPOINT for a file without the encoder, BAD_ARGUMENT, OUT_OF_MEMORY, NOT_FINITE
   */
  async encode(
    images: Float32Array,
    shape: readonly [number, number, number, number],
  ): Promise<{ latents: Float32Array; shape: [number, number, number, number] }> {
    this.#check();
    const [n, channels, height, width] = shape;
    const { imageChannels, latentChannels } = this.structure;
    const fits = channels === imageChannels && height % this.factor === 0 && width % this.factor === 0;
    const pixels = (height * width) / this.factor ** 2;
    if (!fits || pixels % 4 !== 0 || images.length !== n * channels * height * width) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `Images [${shape.join(", ")}] cannot be encoded: ${imageChannels} channels and sides that are multiples of ${2 * this.factor} are needed; ${images.length} values were given.`,
      );
    }
    requireTensors(this.checkpoint, encoderTensors(this.structure));
    const network = buildEncoder(this.structure, height, width, targetOf(this.gpu));
    await this.weights.load(network.graph);
    const label = `VAE encoder of ${height}x${width}`;
    const program = await Program.create(this.gpu, { label, graph: network.graph, constants: this.weights });
    try {
      const latents = new Float32Array(n * 2 * latentChannels * pixels);
      for (let i = 0; i < n; i++) {
        const one = channels * height * width;
        upload(this.gpu, program, network.image, images.subarray(i * one, (i + 1) * one));
        await program.run();
        const moments = await program.readTensor(network.moments);
        if (!moments.every((v) => Number.isFinite(v))) {
          throw new NcvsdError("NOT_FINITE", "The VAE's latents are not finite: check the images and the VAE's file.");
        }
        const means = latentChannels * pixels;
        // The reference clips logarithms of variances at -30 and 20.
        const out = moments.map((v, j) => (j < means ? v : Math.exp(0.5 * Math.min(20, Math.max(-30, v)))));
        latents.set(out, i * out.length);
      }
      return { latents, shape: [n, 2 * latentChannels, height / this.factor, width / this.factor] };
    } finally {
      program.destroy();
    }
  }

  async #notFinite(): Promise<NcvsdError> {
    const node = this.#whole && (await nonFiniteNode(this.#whole.program));
    return new NcvsdError(
      "NOT_FINITE",
      `The VAE's picture is not finite${node ? `, first at node ${node}` : ""}: check the latents and the VAE's file${this.gpu.precision === "f16" ? ", or use precision f32" : ""}.`,
    );
  }

  #check(): void {
    this.gpu.check();
    if (this.#closed) throw bad(`The VAE ${this.checkpoint.name} is closed: open it again with Vae.open().`);
  }

  /** Releases weights and plans. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#release();
    this.#forget();
    this.weights.destroy();
    await this.checkpoint.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function keyOf(height: number, width: number): string {
  return `${height}x${width}`;
}
