import { EXTRA } from "../../../kernels/lib/hmc.js";
import { STATE, STATE_LENGTH } from "../../../kernels/lib/run-state.js";
import { clampGiven } from "../../../kernels/sampling/clamp-given/kernel.js";
import { gatherFree } from "../../../kernels/sampling/gather-free/kernel.js";
import { hmcAccept } from "../../../kernels/sampling/hmc-accept/kernel.js";
import { hmcStart } from "../../../kernels/sampling/hmc-start/kernel.js";
import { leapfrog } from "../../../kernels/sampling/leapfrog/kernel.js";
import { takeRows } from "../../../kernels/sampling/take-rows/kernel.js";
import { NcvsdError } from "../../errors.js";
import type { Encodable } from "../../graph/stage.js";
import { Run } from "../run.js";
import type { Density, DensitySession } from "./density.js";
import type { Clamp } from "./given.js";
import { requireRoom } from "./settings.js";

/** Positions, phi and its gradient of all particles. */
export interface Points {
  readonly x: GPUBuffer;
  readonly phi: GPUBuffer;
  readonly o: GPUBuffer;
}

export interface ParticleOptions {
  /** What the run is called in messages. */
  readonly what: string;
  readonly clamp: Clamp;
  /** Of one run. */
  readonly particles: number;
  /** sigma_s: the log density is phi / sigma^2. */
  readonly sigma: number;
  readonly seed: number;
}

/**
 * Particles of many runs on the GPU: each run's observed coordinates are clamped, and its draws are those of the seed
 * `seed` + its number, so that a run does not depend on the others.
 */
export class Particles {
  readonly run: Run;
  readonly session: DensitySession;
  readonly clamp: Clamp;
  readonly particles: number;
  readonly rows: number;
  readonly dims: number;
  readonly scale: number;
  /** Indices and walls of the unobserved coordinates. */
  readonly box: GPUBuffer;
  /** [runs, STATE_LENGTH] */
  readonly state: GPUBuffer;

  private constructor(run: Run, model: Density, session: DensitySession, options: ParticleOptions) {
    const { clamp, particles, sigma } = options;
    this.run = run;
    this.session = session;
    this.clamp = clamp;
    this.particles = particles;
    this.rows = clamp.runs * particles;
    this.dims = model.dims;
    this.scale = 1 / sigma ** 2;
    this.box = this.upload("box", clamp.box);
    this.state = run.buffer("runs", clamp.runs * STATE_LENGTH);
  }

  /** Opens everything, does the work, and gives everything back. */
  static during<T>(model: Density, options: ParticleOptions, work: (its: Particles) => Promise<T>): Promise<T> {
    const { what, clamp, particles, seed } = options;
    const { gpu, dims } = model;
    // Three sets of points, momenta, and the network's own.
    requireRoom(what, gpu, { runs: clamp.runs, particles }, { widest: dims + EXTRA, all: 9 * dims + 8 });
    const seeds = Array.from({ length: clamp.runs }, (_, r) => (seed + r) % 2 ** 32);
    const of = { gpu, shape: [particles, dims] };
    return Run.during(of, { what, batch: clamp.runs, seeds }, async (run) => {
      const session = run.hold(await model.open(clamp.runs * particles));
      return work(new Particles(run, model, session, options));
    });
  }

  get free(): number {
    return this.clamp.free.length;
  }

  /** What the kernels that move particles are told. */
  get params() {
    const { particles, dims, free, scale, clamp } = this;
    return { runs: clamp.runs, particles, dims, free, scale };
  }

  /** A buffer that holds these values. */
  upload(label: string, values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.run.buffer(label, values.length);
    this.run.gpu.write(buffer, values);
    return buffer;
  }

  points(label: string): Points {
    const { run, rows, dims } = this;
    return {
      x: run.buffer(`${label} x`, rows * dims),
      phi: run.buffer(`${label} phi`, rows),
      o: run.buffer(`${label} gradient`, rows * dims),
    };
  }

  /** The same state for every run. */
  begin(some: Partial<Record<keyof typeof STATE, number>>): void {
    const all = new Float32Array(this.clamp.runs * STATE_LENGTH);
    for (let at = 0; at < all.length; at += STATE_LENGTH)
      for (const [name, value] of Object.entries(some)) all[at + STATE[name as keyof typeof STATE]] = value;
    this.run.gpu.write(this.state, all);
  }

  /**
   * Places the particles, evaluates them and copies them to `points`.
   * @param x0 [rows, free]; absent: uniform in the box, or between `start` where there is no box
   * @throws NOT_FINITE when a log density is not finite there
   */
  async place(points: Points, x0: Float32Array | undefined, start?: number): Promise<void> {
    const { run, clamp, session, rows, particles, dims, free } = this;
    const { low, high } = clamp;
    const inputs = {
      values: this.upload("observed", clamp.values),
      indices: this.upload("unobserved", Uint32Array.from(clamp.free)),
      low: this.upload("low", start === undefined ? low : new Float32Array(free).fill(-start)),
      high: this.upload("high", start === undefined ? high : new Float32Array(free).fill(start)),
      seeds: run.noise.seeds,
      u: x0 ? this.upload("given start", Float32Array.from(x0)) : session.x,
      x: session.x,
    };
    const params = { runs: clamp.runs, particles, dims, free, recorded: x0 !== undefined };
    const placing = await run.stage("placing particles", clampGiven, params, inputs);
    const { phi } = session;
    await run.submit(
      [placing, session],
      [[session.x, points.x], [session.output, points.o], ...(phi ? [[phi, points.phi] as const] : [])],
    );
    // A score alone has no phi: then its gradient is looked at.
    const [looked, each, what] = phi ? [points.phi, 1, "log density"] : [points.o, dims, "score"];
    const first = await run.gpu.readF32(looked, rows * each);
    const at = Math.floor(first.findIndex((v) => !Number.isFinite(v)) / each);
    if (at >= 0)
      throw new NcvsdError(
        "NOT_FINITE",
        `The model's ${what} is not finite at the start of particle ${at % particles} of run ${Math.floor(at / particles)}: check its weights.`,
      );
  }

  /**
   * One transition of Hamiltonian Monte Carlo of all particles in place.
   * @param draws buffers that the caller fills: momenta [rows, free] and uniforms [rows]; absent: drawn
   */
  async transition(
    points: Points,
    its: { readonly leapfrog: number; readonly moves: number; readonly transition: number },
    work: { readonly m: GPUBuffer; readonly taken: GPUBuffer },
    draws?: { readonly momentum: GPUBuffer; readonly uniforms: GPUBuffer },
  ): Promise<Encodable[]> {
    const { run, session, params, box, state, rows, dims } = this;
    const { seeds } = run.noise;
    const { m, taken } = work;
    const drawn = { ...params, moves: its.moves, transition: its.transition, recorded: draws !== undefined };
    const { x, output: o } = session;
    const phi = session.phi!;
    const begin = await run.stage("momenta", hmcStart, drawn, {
      ...points,
      box,
      state,
      draws: draws?.momentum ?? seeds,
      proposal: x,
      m,
    });
    const step = await run.stage("leapfrog", leapfrog, params, { x, o, box, state, m });
    const accept = await run.stage("acceptance", hmcAccept, drawn, {
      x,
      phi,
      o,
      box,
      state,
      draws: draws?.uniforms ?? seeds,
      m,
      taken,
    });
    const take = await run.stage(
      "accepted",
      takeRows,
      { rows, dims },
      {
        taken,
        x,
        phi,
        o,
        ownX: points.x,
        ownPhi: points.phi,
        ownO: points.o,
      },
    );
    const steps = Array.from({ length: its.leapfrog }, (_, i) => (i === 0 ? [session] : [step, session]));
    return [begin, ...steps.flat(), accept, take];
  }

  /** Working memory of transitions. */
  work() {
    const { run, rows, free } = this;
    return { m: run.buffer("momenta", rows * (free + EXTRA)), taken: run.buffer("accepted", rows) };
  }

  /** The unobserved coordinates, [rows, free]. */
  async gather(x: GPUBuffer): Promise<Float32Array> {
    const { run, rows, dims, free } = this;
    const y = run.buffer("unobserved values", rows * free);
    const indices = this.upload("unobserved", Uint32Array.from(this.clamp.free));
    await run.submit([await run.stage("gathering", gatherFree, { rows, dims, free }, { x, indices, y })]);
    return run.gpu.readF32(y, rows * free);
  }
}
