import { aliasFold } from "../../kernels/operators/alias-fold/kernel.js";
import { aliasSpread } from "../../kernels/operators/alias-spread/kernel.js";
import { levelSum } from "../../kernels/operators/level-sum/kernel.js";
import { spectralProximal } from "../../kernels/operators/spectral-proximal/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { checkFinite, checkInteger, checkShape } from "./check.js";
import { type Frame, frequencies, inverseRealFft2, realFft2 } from "./fft.js";
import type { GpuOperator } from "./gpu-operator.js";
import { linearOperator, type Place } from "./linear-operator.js";
import type { StageGraph } from "./stage-graph.js";

export interface DecimatedBlurOptions {
  /** C, H, W of one image; H and W must be multiples of `factor`. */
  readonly shape: readonly number[];
  /** Row by row; larger than the picture it wraps around. */
  readonly kernel: ArrayLike<number>;
  /** Side of a square kernel, or [rows, columns]. */
  readonly kernelSize: number | readonly number[];
  /** Every factor-th row and column is kept; 1: all, a plain circular blur. */
  readonly factor: number;
  /** Row and column of the first kept pixel, each below `factor`; default [0, 0]. */
  readonly offset?: readonly number[];
}

/**
 * A circular true convolution with the kernel's entry floor(size / 2) per axis left in place, of which every factor-th row and column
 * is kept: the measurement is [C, H / factor, W / factor]. (No shift of the picture, unlike the circular blurs of the paper.) In
 * frequencies A A' is diagonal, the mean of |h|^2 over the factor^2 aliases, so that the likelihood step is one draw.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function decimatedBlur(gpu: Gpu, options: DecimatedBlurOptions): GpuOperator {
  const name = "decimatedBlur";
  checkKeys(name, options, { shape: true, kernel: true, kernelSize: true, factor: true, offset: true });
  const shape = checkShape(name, options.shape);
  const factor = checkInteger(name, "factor", options.factor, 1);
  const [channels, height, width] = shape;
  if (height % factor !== 0 || width % factor !== 0)
    throw bad(`${name}: ${height} x ${width} is no multiple of the factor ${factor}.`);
  const { kernel, offset = [0, 0], kernelSize } = options;
  const sides = typeof kernelSize === "number" ? [kernelSize, kernelSize] : Array.from(kernelSize ?? []);
  if (sides.length !== 2)
    throw bad(`${name}: kernelSize must be a side or [rows, columns], got ${String(kernelSize)}.`);
  for (const side of sides) checkInteger(name, "kernelSize", side, 1);
  if (kernel?.length !== sides[0]! * sides[1]!)
    throw bad(`${name}: the kernel has ${kernel?.length} values, not ${sides.join(" x ")} = ${sides[0]! * sides[1]!}.`);
  checkFinite(name, "the kernel", kernel);
  if (offset.length !== 2 || !offset.every((o) => Number.isInteger(o) && o >= 0 && o < factor))
    throw bad(`${name}: offset must be [row, column], each from 0 to ${factor - 1}, got [${Array.from(offset)}].`);
  const [h, w] = [height / factor, width / factor];
  const start = [0, 1].map((axis) => -Math.floor(sides[axis]! / 2) - offset[axis]!);
  const transfer = kernelSpectrum(kernel, sides, start, [height, width]);
  const squares = meanSquares(transfer, [height, width], factor);

  const frameOf = (s: StageGraph, rows: number, columns: number): Frame => ({
    planes: s.batch * channels,
    ...{ height: rows, width: columns, rows, columns },
    ...{ top: 0, left: 0 },
  });
  const whole = (s: StageGraph) => frameOf(s, height, width);
  const small = (s: StageGraph) => frameOf(s, h, w);
  const params = (s: StageGraph) => ({ planes: s.batch * channels, rows: height, columns: width, factor });
  const table = (s: StageGraph) => s.table("transfer", () => Float32Array.from(transfer));
  const spectrumOf = (frame: Frame) => [frame.planes, frame.rows, Math.floor(frame.columns / 2) + 1, 2];
  /** Pictures from the spectrum of a measurement. */
  const back = (s: StageGraph, v: Tensor, to: Place, base?: Tensor) => {
    const inputs = { x: v, transfer: table(s) };
    const y = s.graph.run("spread", aliasSpread, params(s), inputs, { y: spectrumOf(whole(s)) }).y;
    return inverseRealFft2(s, "inverse", y, whole(s), to, 1 / (height * width), base);
  };

  return linearOperator(gpu, {
    name,
    shape,
    measurementShape: [channels, h, w],
    curvature: 2 * squares.reduce((a, b) => Math.max(a, b), 0),
    forward(s, x, to) {
      const inputs = { x: realFft2(s, "fft", x, whole(s)), transfer: table(s) };
      const y = s.graph.run("fold", aliasFold, { ...params(s), draw: false }, inputs, { y: spectrumOf(small(s)) }).y;
      return inverseRealFft2(s, "inverse small", y, small(s), to, 1 / (h * w));
    },
    adjoint: (s, y, to) => back(s, realFft2(s, "fft small", y, small(s)), to),
    proximal(s) {
      const [x, z, level] = [s.input("x"), s.input("z"), s.input("level")];
      const measured = s.prepared(spectrumOf(small(s)), (p, to) =>
        realFft2(p, "fft small", p.input("y"), small(s), { to }),
      );
      const spectra = {
        x: realFft2(s, "fft of x", x, whole(s)),
        z: realFft2(s, "fft of z", z, whole(s)),
        measured,
        level,
      };
      const out = s.out([s.batch, ...shape]);
      if (factor === 1) {
        // Diagonal in the picture's own frequencies: nothing has to cancel.
        const conjugate = s.table("conjugate", () => Float32Array.from(transfer, (v, i) => (i % 2 === 0 ? v : -v)));
        const all = { planes: s.batch * channels, frequencies: frequencies(whole(s)) };
        const given = { ...spectra, transfer: conjugate };
        const y = s.graph.run("draw", spectralProximal, all, given, { y: spectra.x.shape }).y;
        return inverseRealFft2(s, "inverse", y, whole(s), out, 1 / (height * width), x);
      }
      const inputs = { ...spectra, transfer: table(s), squares: s.table("squares", () => Float32Array.from(squares)) };
      const v = s.graph.run("fold", aliasFold, { ...params(s), draw: true }, inputs, { y: spectrumOf(small(s)) }).y;
      const sum = { elements: x.length, level: "rho", factor: 1, other: 0 } as const;
      const around = s.graph.run("x + rho z", levelSum, sum, { a: x, b: z, level }, { y: x.shape }).y;
      return back(s, v, out, around);
    },
  });
}

/**
 * Discrete Fourier transform of a kernel that stands in zeros, its first entry at `start` modulo the extents: half spectrum
 * [H, floor(W / 2) + 1], interleaved, in float64 from single-precision entries.
 */
function kernelSpectrum(
  kernel: ArrayLike<number>,
  [rows, columns]: readonly number[],
  [top, left]: readonly number[],
  [height, width]: readonly [number, number],
): Float64Array {
  const half = Math.floor(width / 2) + 1;
  const turn = (k: number, place: number, length: number) => {
    const angle = (-2 * Math.PI * ((((k * place) % length) + length) % length)) / length;
    return [Math.cos(angle), Math.sin(angle)] as const;
  };
  const lines = new Float64Array(2 * rows! * half);
  for (let k = 0; k < half; k++) {
    for (let j = 0; j < columns!; j++) {
      const [c, s] = turn(k, left! + j, width);
      for (let i = 0; i < rows!; i++) {
        const value = Math.fround(kernel[i * columns! + j]!);
        lines[2 * (i * half + k)]! += value * c;
        lines[2 * (i * half + k) + 1]! += value * s;
      }
    }
  }
  const spectrum = new Float64Array(2 * height * half);
  for (let k = 0; k < height; k++) {
    for (let i = 0; i < rows!; i++) {
      const [c, s] = turn(k, top! + i, height);
      for (let column = 0; column < half; column++) {
        const [a, b] = [lines[2 * (i * half + column)]!, lines[2 * (i * half + column) + 1]!];
        spectrum[2 * (k * half + column)]! += a * c - b * s;
        spectrum[2 * (k * half + column) + 1]! += a * s + b * c;
      }
    }
  }
  return spectrum;
}

/** Eigenvalues of A A' on the half spectrum of the measurement: the mean of |h|^2 over the aliases. */
function meanSquares(transfer: Float64Array, [height, width]: readonly [number, number], factor: number): Float64Array {
  const half = Math.floor(width / 2) + 1;
  const [h, w] = [height / factor, width / factor];
  const smallHalf = Math.floor(w / 2) + 1;
  return Float64Array.from({ length: h * smallHalf }, (_, k) => {
    let sum = 0;
    for (let alias = 0; alias < factor ** 2; alias++) {
      const row = Math.floor(k / smallHalf) + Math.floor(alias / factor) * h;
      const column = (k % smallHalf) + (alias % factor) * w;
      const mirrored = column > Math.floor(width / 2);
      const at = mirrored ? ((height - row) % height) * half + width - column : row * half + column;
      sum += transfer[2 * at]! ** 2 + transfer[2 * at + 1]! ** 2;
    }
    return sum / factor ** 2;
  });
}
