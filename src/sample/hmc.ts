import { hmcStep } from "../../kernels/sampling/hmc-step/kernel.js";
import type { Program } from "../graph/program.js";
import type { Energy } from "./energy.js";
import type { Run } from "./run.js";

/**
 * Hamiltonian dynamics with friction for exp(-E(x) / beta - |x - origin|^2 / (2 sigma^2)) (Zhang et al. 2024, the authors' code):
 *
 *     v ~ z, x = origin, then `steps` times:
 *     v <- momentum v - sqrt(e) (grad E(x) / beta + (x - origin) / sigma^2) + sqrt(2 (1 - momentum)) z,   x <- x + sqrt(e) v
 */
export class Hmc {
  /** The centre, to be written before `run`. */
  readonly origin: GPUBuffer;
  /** The state; after `run` the result. */
  readonly x: GPUBuffer;

  private constructor(
    private readonly owner: Run,
    private readonly energy: Energy,
    private readonly settings: { readonly beta: number; readonly steps: number; readonly momentum: number },
    private readonly buffers: Readonly<Record<"origin" | "v" | "z" | "level", GPUBuffer>>,
    private readonly step: Program,
  ) {
    this.origin = buffers.origin;
    this.x = energy.x;
  }

  static async create(
    run: Run,
    energy: Energy,
    settings: { readonly beta: number; readonly steps: number; readonly momentum: number },
  ): Promise<Hmc> {
    const [origin, v, z] = ["HMC origin", "HMC velocity", "HMC noise"].map((name) => run.buffer(name)) as Three;
    const buffers = { origin, v, z, level: run.buffer("HMC level", 5) };
    const views = { x: energy.x, gradient: energy.gradient, ...buffers };
    const step = await run.stage("HMC step", hmcStep, { elements: run.total }, views);
    // Without friction there is no noise either.
    run.gpu.write(z, new Float32Array(run.total));
    await run.noise.prepare(v);
    await run.noise.prepare(z);
    return new Hmc(run, energy, settings, buffers, step);
  }

  /** Runs all steps of length e at level sigma. */
  async run(sigma: number, e: number): Promise<void> {
    const { owner: run, energy, buffers } = this;
    const { beta, steps, momentum } = this.settings;
    const level = [Math.sqrt(e), beta, sigma * sigma, Math.sqrt(2 * (1 - momentum)), momentum];
    run.gpu.write(buffers.level, Float32Array.from(level));
    await run.submit([], [[this.origin, this.x]]);
    await run.noise.fill(buffers.v);
    for (let k = 0; k < steps; k++) {
      // A draw whose factor is exactly zero is not asked for.
      if (momentum < 1) await run.noise.fill(buffers.z);
      await energy.evaluate?.();
      await run.submit(energy.stage ? [energy.stage, this.step] : [this.step]);
    }
  }
}

type Three = [GPUBuffer, GPUBuffer, GPUBuffer];
