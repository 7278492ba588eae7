import { grid1d, type Kernel } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { stage } from "../../src/graph/stage.js";
import type {
  Denoiser,
  DenoiserVjpSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
} from "../../src/networks/session.js";
import { diagonal, type Matrix, multiply, type Vector } from "./dense.js";

/**
 * A Gaussian prior N(mean, C) with C = Q diag(variances) Q, Q = I - 2 v v' a reflection, and its exact generative denoiser:
 * y = x + sigma n gives x | y ~ N(mean + Q diag(l / (l + sigma^2)) Q (y - mean), Q diag(l sigma^2 / (l + sigma^2)) Q).
 */
export interface GaussianPrior {
  readonly shape: ImageShape;
  readonly mean: Float64Array;
  readonly variances: Float64Array;
  /** Unit vector. */
  readonly axis: Float64Array;
}

export function reflection({ axis }: GaussianPrior): Matrix {
  return Array.from(axis, (a, i) => Float64Array.from(axis, (b, j) => (i === j ? 1 : 0) - 2 * a * b));
}

/** Q diag(f(variance)) Q. */
export function functionOf(prior: GaussianPrior, f: (variance: number) => number): Matrix {
  const q = reflection(prior);
  return multiply(multiply(q, diagonal(Float64Array.from(prior.variances, f))), q);
}

interface DrawParams {
  readonly batch: number;
  readonly elements: number;
}

const SOURCE = `
struct Params { batch: u32, elements: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> prior: array<f32>; // mean, variances, axis
@group(0) @binding(5) var<storage, read_write> x0: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let n = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (n >= p.batch) {
    return;
  }
  let d = p.elements;
  let s2 = sigma[n] * sigma[n];
  var alongY = 0.0;
  var alongZ = 0.0;
  for (var i = 0u; i < d; i++) {
    alongY += prior[2u * d + i] * (y[n * d + i] - prior[i]);
    alongZ += prior[2u * d + i] * z[n * d + i];
  }
  var along = 0.0;
  for (var i = 0u; i < d; i++) {
    let v = prior[2u * d + i];
    let l = prior[d + i];
    let gain = l / (l + s2);
    let mean = gain * (y[n * d + i] - prior[i] - 2.0 * v * alongY);
    let w = mean + sqrt(gain * s2) * (z[n * d + i] - 2.0 * v * alongZ);
    x0[n * d + i] = w;
    along += v * w;
  }
  for (var i = 0u; i < d; i++) {
    x0[n * d + i] = prior[i] + x0[n * d + i] - 2.0 * prior[2u * d + i] * along;
  }
}
`;

const draw: Kernel<DrawParams> = {
  name: "test-gaussian-prior",
  source: [{ file: "test/support/gaussian-prior.ts", text: SOURCE }],
  check() {},
  buffers({ batch, elements }) {
    const length = batch * elements;
    return [
      { name: "y", access: "read", type: "f32", length },
      { name: "sigma", access: "read", type: "f32", length: batch },
      { name: "z", access: "read", type: "f32", length },
      { name: "prior", access: "read", type: "f32", length: 3 * elements },
      { name: "x0", access: "write", type: "f32", length },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ batch, elements }) => ({ batch, elements }),
  grid: ({ batch }, _variant, caps) => grid1d(batch, 64, caps),
  cost: () => ({ flops: 1, bytes: 1 }),
  reference: () => ({}),
  cases: [],
  tolerance: { f32: 1, f16: 1 },
};

/** The exact generative denoiser of the prior, without a network. */
export function gaussianDenoiser(gpu: Gpu, prior: GaussianPrior): GenerativeDenoiser {
  const elements = prior.mean.length;
  return {
    gpu,
    shape: prior.shape,
    initSigma: 80,
    async openGenerator(batch): Promise<GenerativeSession> {
      const total = batch * elements;
      const buffer = (name: string, length: number) => gpu.storage(name, 4 * length);
      const buffers = {
        y: buffer("y", total),
        sigma: buffer("sigma", batch),
        z: buffer("z", total),
        prior: buffer("prior", 3 * elements),
        x0: buffer("x0", total),
      };
      gpu.write(buffers.prior, Float32Array.from([...prior.mean, ...prior.variances, ...prior.axis]));
      const program = await stage(gpu, "gaussian prior", draw, { batch, elements }, buffers);
      const { y, sigma, z, x0 } = buffers;
      return {
        gpu,
        batch,
        y,
        sigma,
        z,
        x0,
        encode: (pass) => program.encode(pass),
        locateNonFinite: async () => undefined,
        release() {
          program.destroy();
          for (const one of Object.values(buffers)) gpu.destroyBuffer(one);
          gpu.flushDestroyed();
        },
      };
    },
  };
}

const MEAN = `
struct Params { batch: u32, elements: u32, centred: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> prior: array<f32>; // mean, variances, axis
@group(0) @binding(4) var<storage, read_write> d: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let n = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (n >= p.batch) {
    return;
  }
  let size = p.elements;
  let s2 = sigma[n] * sigma[n];
  var along = 0.0;
  for (var i = 0u; i < size; i++) {
    along += prior[2u * size + i] * (x[n * size + i] - f32(p.centred) * prior[i]);
  }
  var back = 0.0;
  for (var i = 0u; i < size; i++) {
    let v = prior[2u * size + i];
    let l = prior[size + i];
    let w = l / (l + s2) * (x[n * size + i] - f32(p.centred) * prior[i] - 2.0 * v * along);
    d[n * size + i] = w;
    back += v * w;
  }
  for (var i = 0u; i < size; i++) {
    d[n * size + i] += f32(p.centred) * prior[i] - 2.0 * prior[2u * size + i] * back;
  }
}
`;

/** The mean E[x0 | x], or with the prior's own mean left out its derivative, which is symmetric. */
const expectation: Kernel<DrawParams & { readonly centred: boolean }> = {
  ...{ check() {}, variant: draw.variant, grid: draw.grid, cost: draw.cost, reference: draw.reference },
  ...{ cases: [], tolerance: draw.tolerance },
  name: "test-gaussian-mean",
  source: [{ file: "test/support/gaussian-prior.ts", text: MEAN }],
  buffers({ batch, elements }) {
    const length = batch * elements;
    return [
      { name: "x", access: "read", type: "f32", length },
      { name: "sigma", access: "read", type: "f32", length: batch },
      { name: "prior", access: "read", type: "f32", length: 3 * elements },
      { name: "d", access: "write", type: "f32", length },
    ];
  },
  uniforms: ({ batch, elements, centred }) => ({ batch, elements, centred: Number(centred) }),
};

/** The exact denoiser D(x; sigma) = E[x0 | x] of the prior, with J'v. */
export function gaussianMean(gpu: Gpu, prior: GaussianPrior): Denoiser {
  const elements = prior.mean.length;
  const open = async (batch: number): Promise<DenoiserVjpSession> => {
    const total = batch * elements;
    const image = (name: string) => gpu.storage(name, 4 * total);
    const [x, denoised, v, vjp] = ["x", "denoised", "v", "vjp"].map(image) as [
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
    ];
    const sigma = gpu.storage("sigma", 4 * batch);
    const values = gpu.storage("prior", 12 * elements);
    gpu.write(values, Float32Array.from([...prior.mean, ...prior.variances, ...prior.axis]));
    const program = (centred: boolean, from: GPUBuffer, to: GPUBuffer) =>
      stage(gpu, "gaussian mean", expectation, { batch, elements, centred }, { x: from, sigma, prior: values, d: to });
    const [forward, pullback] = [await program(true, x, denoised), await program(false, v, vjp)];
    return {
      ...{ gpu, batch, x, sigma, denoised, v, vjp, pullback },
      encode: (pass) => forward.encode(pass),
      locateNonFinite: async () => undefined,
      release() {
        for (const one of [forward, pullback]) one.destroy();
        for (const one of [x, denoised, v, vjp, sigma, values]) gpu.destroyBuffer(one);
        gpu.flushDestroyed();
      },
    };
  };
  return { gpu, shape: prior.shape, openDenoiser: open, openDenoiserVjp: open };
}

/** A normal distribution. */
export interface Normal {
  readonly mean: Vector;
  readonly covariance: Matrix;
}
