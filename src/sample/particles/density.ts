import { mixtureDensity as mixtureKernel } from "../../../kernels/sampling/mixture-density/kernel.js";
import { bad, checkKeys } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { stage } from "../../graph/stage.js";
import { inverseFactors } from "../../priors/factors.js";
import type { GaussianMixture } from "../../priors/mixture.js";

/** An energy made ready for a number of rows: from `x` to `phi` and its gradient `output`, all f32 on the GPU. */
export interface DensitySession {
  /** [rows, dims] */
  readonly x: GPUBuffer;
  /** [rows]; a density that is none (a direct score network) has no phi and cannot be sampled here. */
  readonly phi: GPUBuffer | undefined;
  /** rows x dims: the gradient of phi. */
  readonly output: GPUBuffer;
  /** Records one evaluation. */
  encode(pass: GPUComputePassEncoder): void;
  /** Gives the buffers back. */
  release(): void;
}

/** What samplers of particles need: an energy network of DISCO (`loadDisco`), or `mixtureDensity`. log p = phi / sigma_min^2 + const. */
export interface Density {
  readonly gpu: Gpu;
  /** Coordinates of a point. */
  readonly dims: number;
  /** Whether there is a phi. */
  readonly energy: boolean;
  /** Whether it needs a label with every point: then it is no density of the data. */
  readonly conditional: boolean;
  /** sigma_min: the smoothing sigma(0). box_low, box_high: walls of the region that it knows, one per coordinate. */
  readonly config: {
    readonly sigma_min: number;
    readonly box_low?: readonly number[] | undefined;
    readonly box_high?: readonly number[] | undefined;
  };
  open(rows: number): Promise<DensitySession>;
}

/**
 * A Gaussian mixture, smoothed, in place of a trained energy network: phi = sigma^2 ln p(x), p the density of the mixture
 * convolved with N(0, sigma^2 I). What a sampler makes of it shows the sampler's own error.
 * @param mixture of at most 128 coordinates
 * @param options sigma: the smoothing, default 0.1
 * @throws BAD_ARGUMENT when there are more coordinates, or sigma is not positive
 */
export function mixtureDensity(gpu: Gpu, mixture: GaussianMixture, options: { readonly sigma?: number } = {}): Density {
  checkKeys("mixtureDensity", options, { sigma: true });
  const { sigma = 0.1 } = options;
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw bad(`mixtureDensity: sigma must be a positive number, got ${sigma}.`);
  const { dims } = mixture;
  const count = mixture.weights.length;
  const { means, factors, logs } = inverseFactors(mixture.smoothed(sigma));
  return {
    gpu,
    dims,
    energy: true,
    conditional: false,
    config: { sigma_min: sigma },
    async open(rows) {
      const buffers = {
        x: gpu.storage("points", 4 * rows * dims),
        means: gpu.storage("means", means.byteLength),
        factors: gpu.storage("factors", factors.byteLength),
        logs: gpu.storage("log weights", logs.byteLength),
        phi: gpu.storage("phi", 4 * rows),
        o: gpu.storage("gradient of phi", 4 * rows * dims),
      };
      const free = () => {
        for (const buffer of Object.values(buffers)) gpu.destroyBuffer(buffer);
        gpu.flushDestroyed();
      };
      gpu.write(buffers.means, means);
      gpu.write(buffers.factors, factors);
      gpu.write(buffers.logs, logs);
      try {
        const params = { rows, dims, count, factor: sigma ** 2 };
        const program = await stage(gpu, "mixture density", mixtureKernel, params, buffers);
        return {
          x: buffers.x,
          phi: buffers.phi,
          output: buffers.o,
          encode: (pass) => program.encode(pass),
          release() {
            program.destroy();
            free();
          },
        };
      } catch (error) {
        free();
        throw error;
      }
    },
  };
}
