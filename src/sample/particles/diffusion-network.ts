import type { Gpu } from "../../gpu/device.js";

/** A diffusion counterpart of DISCO's network: an energy (or score) with the index of a noise level, as `loadDisco` gives it. */
export interface Diffusion {
  readonly gpu: Gpu;
  readonly dims: number;
  readonly energy: boolean;
  readonly conditional: boolean;
  readonly config: { readonly sigma_min: number; readonly sigma_max: number; readonly levels: number };
  /** From x and labels to output, sigma times the score. */
  open(rows: number): Promise<{
    readonly x: GPUBuffer;
    readonly labels: GPUBuffer | undefined;
    readonly output: GPUBuffer;
    encode(pass: GPUComputePassEncoder): void;
    release(): void;
  }>;
  /** The same, and then from a direction to its product with the Hessian of phi. */
  openHvp(rows: number, buffers: ProductBuffers): Promise<DiffusionProduct>;
}

interface ProductBuffers {
  readonly x: GPUBuffer;
  readonly labels: GPUBuffer;
  readonly direction: GPUBuffer;
  readonly output: GPUBuffer;
  readonly hvp: GPUBuffer;
}

interface DiffusionProduct {
  encodeGradient(pass: GPUComputePassEncoder): void;
  encodeProduct(pass: GPUComputePassEncoder): void;
  destroy(): void;
}

/** Rows of Hessian products at a time: all their activations are kept. */
const PRODUCT_ROWS = 16_384;
/** A processor's caches hold few. */
const PRODUCT_ROWS_ON_A_PROCESSOR = 2048;

interface Product {
  readonly direction: GPUBuffer;
  readonly hvp: GPUBuffer;
  encode(pass: GPUComputePassEncoder): void;
}

/** The network made ready: for all rows, or with Hessian products for a chunk of them. */
export class Network {
  readonly #model: Diffusion;
  readonly #x: GPUBuffer;
  readonly #labels: GPUBuffer;
  readonly #output: GPUBuffer;
  readonly #gradient: (pass: GPUComputePassEncoder) => void;
  readonly #product: Product | undefined;
  readonly release: () => void;
  readonly rows: number;

  private constructor(
    model: Diffusion,
    rows: number,
    buffers: Pick<ProductBuffers, "x" | "labels" | "output">,
    gradient: (pass: GPUComputePassEncoder) => void,
    release: () => void,
    product?: Product,
  ) {
    this.#model = model;
    this.rows = rows;
    this.#x = buffers.x;
    this.#labels = buffers.labels;
    this.#output = buffers.output;
    this.#gradient = gradient;
    this.#product = product;
    this.release = release;
  }

  static async open(model: Diffusion, rows: number, guided: boolean): Promise<Network> {
    const { gpu, dims } = model;
    if (!guided) {
      const session = await model.open(rows);
      const { x, labels, output } = session;
      const release = () => session.release();
      return new Network(model, rows, { x, labels: labels!, output }, (pass) => session.encode(pass), release);
    }
    const chunk = Math.min(rows, gpu.caps.software ? PRODUCT_ROWS_ON_A_PROCESSOR : PRODUCT_ROWS);
    const buffers: ProductBuffers = {
      x: gpu.storage("points", 4 * chunk * dims),
      labels: gpu.storage("levels", 4 * chunk),
      direction: gpu.storage("direction", 4 * chunk * dims),
      output: gpu.storage("gradient", 4 * chunk * dims),
      hvp: gpu.storage("Hessian product", 4 * chunk * dims),
    };
    const free = () => {
      for (const buffer of Object.values(buffers)) gpu.destroyBuffer(buffer);
      gpu.flushDestroyed();
    };
    try {
      const its = await model.openHvp(chunk, buffers);
      const release = () => {
        its.destroy();
        free();
      };
      const { direction, hvp } = buffers;
      const product = { direction, hvp, encode: (pass: GPUComputePassEncoder) => its.encodeProduct(pass) };
      return new Network(model, chunk, buffers, (pass) => its.encodeGradient(pass), release, product);
    } catch (error) {
      free();
      throw error;
    }
  }

  async #run(what: string, encode: (pass: GPUComputePassEncoder) => void): Promise<void> {
    const { gpu } = this.#model;
    await gpu.scoped(what, () => {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    });
  }

  /** output at up to `rows` points of one level. */
  async output(x: Float32Array, label: number): Promise<Float32Array> {
    const { gpu, dims } = this.#model;
    const padded = new Float32Array(this.rows * dims);
    padded.set(x);
    gpu.write(this.#x, padded);
    gpu.write(this.#labels, new Float32Array(this.rows).fill(label));
    await this.#run("The diffusion model", this.#gradient);
    return gpu.readF32(this.#output, x.length);
  }

  /** The Hessian of phi at the points of the last call times a direction. */
  async product(direction: Float32Array): Promise<Float32Array> {
    const { gpu, dims } = this.#model;
    const padded = new Float32Array(this.rows * dims);
    padded.set(direction);
    gpu.write(this.#product!.direction, padded);
    await this.#run("The diffusion model's Hessian", (pass) => this.#product!.encode(pass));
    return gpu.readF32(this.#product!.hvp, direction.length);
  }
}
