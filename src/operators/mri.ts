import { hermitianExpand } from "../../kernels/operators/hermitian-expand/kernel.js";
import { hermitianFold } from "../../kernels/operators/hermitian-fold/kernel.js";
import { mriProximal } from "../../kernels/operators/mri-proximal/kernel.js";
import { spectralProximal } from "../../kernels/operators/spectral-proximal/kernel.js";
import { spectrumPlanes } from "../../kernels/operators/spectrum-planes/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { shuffled } from "../random/uniforms.js";
import { checkFinite, checkInteger, checkPositive, checkShape } from "./check.js";
import { type Frame, fft2, frequencies, inverseRealFft2, realFft2 } from "./fft.js";
import type { GpuOperator } from "./gpu-operator.js";
import { type LinearGraphs, linearOperator } from "./linear-operator.js";
import type { SolverOptions } from "./operator.js";
import type { StageGraph } from "./stage-graph.js";
import { combineViews, overlap, takeViews, type Views } from "./views.js";

export interface MriOptions {
  /** [2, H, W], a complex picture as real and imaginary part, or [1, H, W], a real one. */
  readonly shape: readonly number[];
  /** 1 = measured, 0 = not: H*W values with frequency 0 at (floor(H / 2), floor(W / 2)), or W values that hold for all rows. */
  readonly mask: ArrayLike<number>;
  /** Sensitivities of K coils, K * 2 * H * W values: each the real parts, then the imaginary parts. */
  readonly maps?: ArrayLike<number>;
  /** Of the conjugate gradients, which are needed with maps only. */
  readonly solver?: SolverOptions;
}

/**
 * Magnetic resonance imaging: y = M F x, F the centred orthonormal FFT, M a mask of zeros and ones; [2, H, W], 0 off the mask,
 * where y is not looked at. The likelihood step is one draw in closed form. With `maps`, y_c = M F (S_c x), [K, 2, H, W], and the
 * step is made by conjugate gradients of two draws. Divide k-space by the 0.99 quantile of the magnitude of
 * sum_c conj(S_c) F^-1 y_c / sqrt(sum_c |S_c|^2) first, so that pictures are in the range of the network, and keep the factor.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function mri(gpu: Gpu, options: MriOptions): GpuOperator {
  checkKeys("mri", options, { shape: true, mask: true, maps: true, solver: true });
  const shape = checkShape("mri", options.shape);
  const [channels, height, width] = shape;
  if (channels > 2)
    throw bad(`mri: shape must be [2, H, W] (real and imaginary part) or [1, H, W] (a real picture), got [${shape}].`);
  const mask = maskOf(options.mask, height, width);
  const { maps, solver } = options;
  if (maps === undefined) {
    const maps = channels === 2 ? complexMaps(height, width, mask) : realMaps(height, width, mask);
    return linearOperator(gpu, { name: "mri", shape, measurementShape: [2, height, width], curvature: 2, ...maps });
  }
  const size = 2 * height * width;
  if (maps.length === 0 || maps.length % size !== 0)
    throw bad(
      `mri: maps has ${maps.length} values, no multiple of 2 x ${height} x ${width} = ${size} (real and imaginary part of a coil).`,
    );
  checkFinite("mri", "maps", maps);
  const coils = maps.length / size;
  const views = viewsOf(height, width, channels === 2, maps);
  return linearOperator(gpu, {
    name: "mri",
    shape,
    measurementShape: [coils, 2, height, width],
    curvature: 2 * overlap(views),
    solver,
    ...coilMaps(views, mask),
  });
}

type Maps = Pick<LinearGraphs, "forward" | "adjoint" | "proximal">;

/** Pictures with their middle in the corner, through the coils where there are some. */
function viewsOf(height: number, width: number, complex: boolean, maps?: ArrayLike<number>): Views {
  const size = { channels: 1, height, width, rows: height, columns: width };
  const centre = { viewRow: Math.floor(height / 2), viewColumn: Math.floor(width / 2) };
  const coils = maps && { windows: maps, positions: new Uint32Array(maps.length / (height * width)) };
  return { as: complex ? "planes" : "real", ...size, ...centre, ...coils };
}

/** y_c = M F (S_c x) and its adjoint, through the whole spectrum. */
function coilMaps(views: Views, mask: Float32Array): Required<Pick<Maps, "forward" | "adjoint">> {
  const { height: rows, width: columns, positions } = views;
  const factor = 1 / Math.sqrt(rows * columns);
  const size = (s: StageGraph) => ({ planes: (s.batch * (positions?.length ?? 2)) / 2, rows, columns });
  const table = (s: StageGraph) => s.table("mask", () => mask);
  return {
    forward(s, from, to) {
      const spectrum = fft2(s, "fft", takeViews(s, "coils", from, views), size(s));
      const params = { ...size(s), factor, masked: true, back: false };
      return s.graph.run("samples", spectrumPlanes, params, { x: spectrum, mask: table(s) }, { y: to }).y;
    },
    adjoint(s, from, to) {
      const params = { ...size(s), factor: 1, masked: true, back: true };
      const inputs = { x: from, mask: table(s) };
      const spectrum = s.graph.run("spectrum", spectrumPlanes, params, inputs, { y: [from.length] }).y;
      return combineViews(s, "coils'", fft2(s, "fft'", spectrum, size(s), true), views, to, { factor });
    },
  };
}

/** One coil: A'A is diagonal in frequency, its eigenvalues are the mask. */
function complexMaps(rows: number, columns: number, mask: Float32Array): Maps {
  const views = viewsOf(rows, columns, true);
  return {
    ...coilMaps(views, mask),
    proximal(s) {
      const size = { planes: s.batch, rows, columns };
      const spectrum = (name: string, from: Tensor) => fft2(s, `fft of ${name}`, takeViews(s, name, from, views), size);
      const [x, level] = [s.input("x"), s.input("level")];
      const inputs = {
        x: spectrum("x", x),
        z: spectrum("z", s.input("z")),
        measured: s.input("y"),
        mask: s.table("mask", () => mask),
        level,
      };
      const factor = 1 / Math.sqrt(rows * columns);
      const y = s.graph.run("draw", mriProximal, { ...size, factor }, inputs, { y: inputs.x.shape }).y;
      const back = { factor: factor * factor, base: x };
      return combineViews(
        s,
        "picture",
        fft2(s, "inverse", y, size, true),
        views,
        s.out([s.batch, 2, rows, columns]),
        back,
      );
    },
  };
}

/**
 * A real picture: A' sees the Hermitian part of the samples alone, and A'A is diagonal in the picture's own frequencies with the
 * eigenvalues h(k) = (M(k) + M(-k)) / 2, as a circular blur's.
 */
function realMaps(rows: number, columns: number, mask: Float32Array): Maps {
  const factor = 1 / Math.sqrt(rows * columns);
  const half = Math.floor(columns / 2) + 1;
  /** Of frequency (i, j) of a centred grid: that of its negative. */
  const mirrored = (at: number) => {
    const [i, j] = [Math.floor(at / columns) - Math.floor(rows / 2), (at % columns) - Math.floor(columns / 2)];
    return ((Math.floor(rows / 2) - i + rows) % rows) * columns + ((Math.floor(columns / 2) - j + columns) % columns);
  };
  const eigenvalues = mask.map((m, at) => (m + mask[mirrored(at)]!) / 2);
  const roots = eigenvalues.map(Math.sqrt);
  const frame = (s: StageGraph): Frame => {
    const size = { height: rows, width: columns, rows, columns };
    return { planes: s.batch, ...size, top: 0, left: 0 };
  };
  const size = (s: StageGraph) => ({ planes: s.batch, rows, columns });
  const spectra = (s: StageGraph) => [s.batch, rows, half, 2];
  /** Of the shift by half a picture, rows first. */
  const turns = (s: StageGraph) =>
    s.table("turns", () =>
      Float32Array.from({ length: 2 * (rows + columns) }, (_, i) => {
        const at = Math.floor(i / 2);
        const [k, n] = at < rows ? [at, rows] : [at - rows, columns];
        const angle = (2 * Math.PI * ((k * Math.floor(n / 2)) % n)) / n;
        return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
      }),
    );
  return {
    forward(s, from, to) {
      const inputs = { x: realFft2(s, "fft", from, frame(s)), mask: s.table("mask", () => mask), turns: turns(s) };
      return s.graph.run("samples", hermitianExpand, { ...size(s), factor }, inputs, { y: to }).y;
    },
    adjoint(s, from, to) {
      const inputs = { x: from, mask: s.table("mask", () => mask), turns: turns(s) };
      const y = s.graph.run("spectrum", hermitianFold, { ...size(s), factor: 1 }, inputs, { y: spectra(s) }).y;
      return inverseRealFft2(s, "inverse", y, frame(s), to, factor);
    },
    proximal(s) {
      const [x, level] = [s.input("x"), s.input("level")];
      const measured = s.prepared(spectra(s), (p, to) => {
        const weights = p.table("weights", () => mask.map((m, at) => (m === 0 ? 0 : m / roots[at]!)));
        const inputs = { x: p.input("y"), mask: weights, turns: turns(p) };
        p.graph.run("spectrum", hermitianFold, { ...size(p), factor: 1 / factor }, inputs, { y: to });
      });
      const inputs = {
        x: realFft2(s, "fft of x", x, frame(s)),
        z: realFft2(s, "fft of z", s.input("z"), frame(s)),
        measured,
        // Interleaved, and in the order of half spectra.
        transfer: s.table("roots", () =>
          Float32Array.from({ length: 2 * rows * half }, (_, i) => {
            const [k1, k2] = [Math.floor(i / (2 * half)), Math.floor(i / 2) % half];
            const [row, column] = [(k1 + Math.floor(rows / 2)) % rows, (k2 + Math.floor(columns / 2)) % columns];
            return i % 2 === 0 ? roots[row * columns + column]! : 0;
          }),
        ),
        level,
      };
      const params = { planes: s.batch, frequencies: frequencies(frame(s)) };
      const y = s.graph.run("draw", spectralProximal, params, inputs, { y: spectra(s) }).y;
      return inverseRealFft2(s, "inverse", y, frame(s), s.out([s.batch, 1, rows, columns]), factor * factor, x);
    },
  };
}

/** The mask as H*W values. */
function maskOf(mask: ArrayLike<number>, height: number, width: number): Float32Array {
  const length = mask?.length;
  if (length !== width && length !== height * width)
    throw bad(
      `mri: the mask has ${length} values: ${height} x ${width} = ${height * width} are needed, or ${width} for the columns.`,
    );
  for (let i = 0; i < length; i++) {
    if (mask[i] !== 0 && mask[i] !== 1)
      throw bad(`mri: the mask holds ${mask[i]} at index ${i}: only 0 (not measured) and 1 (measured) are possible.`);
  }
  return Float32Array.from({ length: height * width }, (_, i) => mask[i % length]!);
}

export interface LineMaskOptions {
  /** Lines in all: the picture's columns, W. */
  readonly lines: number;
  /** How many times fewer are measured: floor(lines / acceleration) of them. */
  readonly acceleration: number;
  /** Share of the lines in the middle that are all measured; default 0.08 up to acceleration 6, else 0.04. */
  readonly centre?: number;
  /** An integer from 0 to 2^32 - 1, default 0. */
  readonly seed?: number;
}

/**
 * A mask of columns as much published work has it: floor(centre * lines) in the middle, the rest drawn without replacement.
 * @returns `lines` zeros and ones, for `mri`
 * @throws NcvsdError BAD_ARGUMENT
 */
export function lineMask(options: LineMaskOptions): Float32Array {
  checkKeys("lineMask", options, { lines: true, acceleration: true, centre: true, seed: true });
  const lines = checkInteger("lineMask", "lines", options.lines, 1);
  const acceleration = checkPositive("lineMask", "acceleration", options.acceleration);
  const { centre = acceleration <= 6 ? 0.08 : 0.04 } = options;
  if (typeof centre !== "number" || !(centre >= 0 && centre <= 1))
    throw bad(`lineMask: centre must be from 0 to 1, got ${String(centre)}.`);
  const seed = checkInteger("lineMask", "seed", options.seed ?? 0, 0);
  const kept = Math.floor(lines / acceleration);
  const middle = Math.floor(centre * lines);
  if (kept < Math.max(1, middle))
    throw bad(
      `lineMask: acceleration ${acceleration} leaves ${kept} of ${lines} lines, fewer than the ${Math.max(1, middle)} of the centre.`,
    );
  const mask = new Float32Array(lines);
  const first = Math.floor((lines - middle) / 2);
  mask.fill(1, first, first + middle);
  const others = Array.from(shuffled(lines, seed)).filter((line) => mask[line] === 0);
  for (const line of others.slice(0, kept - middle)) mask[line] = 1;
  return mask;
}
