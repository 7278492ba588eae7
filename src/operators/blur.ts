import { spectralFilter } from "../../kernels/operators/spectral-filter/kernel.js";
import { spectralProximal } from "../../kernels/operators/spectral-proximal/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { gaussianKernel, gaussianLine, motionKernel, reflected } from "./blur-kernels.js";
import { checkFinite, checkInteger, checkShape } from "./check.js";
import { type Frame, frequencies, inverseRealFft2, realFft2 } from "./fft.js";
import { type GpuOperator, gpuOperator } from "./gpu-operator.js";
import { type LineMap, lineMap } from "./resize.js";
import { separableOperator } from "./separable.js";
import type { StageGraph } from "./stage-graph.js";

interface BlurOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /**
   * Which entry of the kernel stays in place. "kernel": its middle one, index floor(kernelSize / 2) from the top and the left, as
   * in other libraries: take it for real measurements. "reference" (default): as the reference's operator does, which moves
   * the picture by one pixel up where H or the kernel is odd (both even: not at all), and likewise to the left.
   */
  readonly centre?: "kernel" | "reference";
  /**
   * The reference shifts A' by floor(n / 2) in the same direction as A. For even H and W that is the adjoint, for odd ones
   * it is one pixel off. "reference" (default) does the same, in `adjoint` and in the posterior draw; "exact" gives the adjoint,
   * and is the only one with `centre: "kernel"`.
   */
  readonly transpose?: "reference" | "exact";
}

/** For checkKeys. */
const BLUR = { shape: true, centre: true, transpose: true } as const;

export interface GaussianBlurOptions extends BlurOptions {
  /** Pixels on a side of the kernel; the paper's is 61. */
  readonly kernelSize: number;
  /** In pixels; the paper's is 3. */
  readonly std: number;
  /**
   * How the picture goes on outside: "circular" (default, the paper's); "reflect" (d c b | a b c d | c b a, the border pixel not
   * repeated), "symmetric" (c b a | a b c d | d c b), "zero". With the latter three the kernel's entry floor(kernelSize / 2) stays
   * in place, the adjoint is exact, and the kernel may be larger than the picture.
   */
  readonly boundary?: keyof typeof BOUNDARIES | "circular";
}

/** Where the pixel `i` of a line lies, or -1: nowhere. */
const BOUNDARIES = {
  reflect: (i: number, length: number) => {
    const period = Math.max(1, 2 * length - 2);
    const j = ((i % period) + period) % period;
    return j < length ? j : period - j;
  },
  symmetric: reflected,
  zero: (i: number, length: number) => (i >= 0 && i < length ? i : -1),
};

export interface MotionBlurOptions extends BlurOptions {
  /** kernelSize * kernelSize values. */
  readonly kernel?: ArrayLike<number>;
  readonly kernelSize?: number;
  /** Without `kernel`: how much the camera shakes, 0 (a straight line) to 1. */
  readonly intensity?: number;
  /** Without `kernel`: an integer from 0 to 2^32 - 1, default 0. */
  readonly seed?: number;
}

/**
 * Blur with a Gaussian kernel. Its likelihood step is one draw in closed form, in frequencies where the border is circular, else
 * in singular vectors of both axes.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function gaussianBlur(gpu: Gpu, options: GaussianBlurOptions): GpuOperator {
  checkKeys("gaussianBlur", options, { ...BLUR, kernelSize: true, std: true, boundary: true });
  const { kernelSize, std, boundary = "circular" } = options;
  if (boundary !== "circular") {
    if (!Object.hasOwn(BOUNDARIES, boundary))
      throw bad(
        `gaussianBlur: boundary must be "circular", "reflect", "symmetric" or "zero", got ${String(boundary)}.`,
      );
    if (options.centre === "reference" || options.transpose === "reference")
      throw bad(`gaussianBlur: the reference's centre and transpose belong to circular borders: leave them out.`);
    const shape = checkShape("gaussianBlur", options.shape);
    const line = gaussianLine(kernelSize, std);
    const map = (length: number) => blurMap(line, length, BOUNDARIES[boundary]);
    return separableOperator(gpu, { name: "gaussianBlur", shape, rows: map(shape[1]), columns: map(shape[2]) });
  }
  return circularBlur(gpu, "gaussianBlur", options, gaussianKernel(kernelSize, std), kernelSize);
}

/** out[i] = sum over a of line[a] in[i + a - floor(size / 2)], with the line continued. */
function blurMap(line: Float64Array, length: number, place: (i: number, length: number) => number): LineMap {
  const middle = Math.floor(line.length / 2);
  const rows = Array.from({ length }, (_, i) => {
    const row = new Map<number, number>();
    line.forEach((weight, a) => {
      const j = place(i + a - middle, length);
      if (j >= 0) row.set(j, (row.get(j) ?? 0) + weight);
    });
    return [...row].sort(([a], [b]) => a - b);
  });
  return lineMap(length, rows);
}

/**
 * Blur with a given kernel, or with one made by `motionKernel`, circular at the borders.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function motionBlur(gpu: Gpu, options: MotionBlurOptions): GpuOperator {
  checkKeys("motionBlur", options, { ...BLUR, kernel: true, kernelSize: true, intensity: true, seed: true });
  const { kernel, intensity, seed } = options;
  if (kernel === undefined) {
    if (intensity === undefined) throw bad("motionBlur: give kernel, or kernelSize, intensity and seed.");
    const size = checkInteger("motionBlur", "kernelSize", options.kernelSize, 1);
    return circularBlur(gpu, "motionBlur", options, motionKernel(size, intensity, seed ?? 0), size);
  }
  if (intensity !== undefined || seed !== undefined)
    throw bad("motionBlur: give kernel, or intensity and seed, but not both.");
  const size = checkInteger("motionBlur", "kernelSize", options.kernelSize ?? Math.sqrt(kernel.length), 1);
  if (kernel.length !== size * size)
    throw bad(`motionBlur: the kernel has ${kernel.length} values, not ${size} x ${size} = ${size * size}.`);
  checkFinite("motionBlur", "the kernel", kernel);
  return circularBlur(gpu, "motionBlur", options, kernel, size);
}

/**
 * A x = roll(IFFT2(H FFT2(x)), floor(n / 2)), H = FFT2 of the kernel in the middle of zeros: a circular convolution. Unless
 * image and kernel are even, the picture moves by one pixel towards the origin, as in the reference; `centre: "kernel"`
 * rolls by what leaves the kernel's middle entry in place.
 */
function circularBlur(
  gpu: Gpu,
  name: string,
  options: BlurOptions,
  kernel: ArrayLike<number>,
  size: number,
): GpuOperator {
  const shape = checkShape(name, options.shape);
  const { centre = "reference" } = options;
  if (centre !== "kernel" && centre !== "reference")
    throw bad(`${name}: centre must be "kernel" or "reference", got ${String(centre)}.`);
  const { transpose = centre === "kernel" ? "exact" : "reference" } = options;
  if (transpose !== "reference" && transpose !== "exact")
    throw bad(`${name}: transpose must be "reference" or "exact", got ${String(transpose)}.`);
  if (centre === "kernel" && transpose === "reference")
    throw bad(
      `${name}: the reference's transpose belongs to its centre: leave transpose out, or take centre "reference".`,
    );
  const [channels, height, width] = shape;
  if (size > Math.min(height, width))
    throw bad(`${name}: the kernel of ${size} x ${size} is larger than the image of ${height} x ${width}.`);
  const transfers = transferFunctions(kernel, size, height, width, { centre, transpose });
  const factor = 1 / (height * width);

  const frameOf = (s: StageGraph): Frame => ({
    planes: s.batch * channels,
    height,
    width,
    rows: height,
    columns: width,
    top: 0,
    left: 0,
  });
  const params = (s: StageGraph) => ({ planes: s.batch * channels, frequencies: frequencies(frameOf(s)) });
  const outOf = (s: StageGraph) => s.out([s.batch, ...shape]);
  const table = (s: StageGraph, which: keyof typeof transfers) => s.table(which, () => transfers[which]);

  function filter(s: StageGraph, input: "x" | "y", which: keyof typeof transfers): Tensor {
    const x = realFft2(s, "fft", s.input(input), frameOf(s));
    const inputs = { x, transfer: table(s, which) };
    const y = s.graph.run("filter", spectralFilter, { ...params(s), residual: false }, inputs, { y: x.shape }).y;
    return inverseRealFft2(s, "inverse", y, frameOf(s), outOf(s), factor);
  }

  /** Spectra of the measurement, which stays the same over a run. */
  function measured(s: StageGraph): Tensor {
    const frame = frameOf(s);
    const spectra = [frame.planes, height, Math.floor(width / 2) + 1, 2];
    return s.prepared(spectra, (p, to) => realFft2(p, "fft", p.input("y"), frame, { to }));
  }

  return gpuOperator(gpu, {
    name,
    shape,
    measurementShape: shape,
    curvature: 2 * largestSquare(transfers.forward),
    forward: (s) => filter(s, "x", "forward"),
    adjoint: (s) => filter(s, "y", "back"),
    proximal(s) {
      const around = s.input("x");
      const x = realFft2(s, "fft of x", around, frameOf(s));
      const z = realFft2(s, "fft of z", s.input("z"), frameOf(s));
      const inputs = { x, z, measured: measured(s), transfer: table(s, "back"), level: s.input("level") };
      const y = s.graph.run("draw", spectralProximal, params(s), inputs, { y: x.shape }).y;
      return inverseRealFft2(s, "inverse", y, frameOf(s), outOf(s), factor, around);
    },
    gradient(s) {
      const x = realFft2(s, "fft", s.input("x"), frameOf(s));
      const inputs = { x, measured: measured(s), transfer: table(s, "forward") };
      const y = s.graph.run("gradient", spectralFilter, { ...params(s), residual: true }, inputs, { y: x.shape }).y;
      return inverseRealFft2(s, "inverse", y, frameOf(s), outOf(s), factor);
    },
  });
}

/**
 * Transfer functions on half spectra [H, floor(W / 2) + 1], interleaved re and im, from float64:
 * `forward` = A and `back` = A'.
 */
function transferFunctions(
  kernel: ArrayLike<number>,
  size: number,
  height: number,
  width: number,
  { centre, transpose }: Required<Pick<BlurOptions, "centre" | "transpose">>,
) {
  const half = Math.floor(width / 2) + 1;
  const [top, left] = [Math.floor((height - size) / 2), Math.floor((width - size) / 2)];
  const middle = Math.floor(size / 2);
  const [down, right] =
    centre === "kernel"
      ? [height - top - middle, width - left - middle]
      : [Math.floor(height / 2), Math.floor(width / 2)];
  // Rows of the kernel first, then columns: sums of `size` terms each.
  const rows = new Float64Array(2 * size * half);
  const rowTurns = turns(width);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < half; k++) {
      let [re, im] = [0, 0];
      for (let j = 0; j < size; j++) {
        // The reference rounds its kernel to single precision.
        const value = Math.fround(kernel[i * size + j]!);
        const t = (k * (left + j)) % width;
        re += value * rowTurns[2 * t]!;
        im += value * rowTurns[2 * t + 1]!;
      }
      rows[2 * (i * half + k)] = re;
      rows[2 * (i * half + k) + 1] = im;
    }
  }
  const columnTurns = turns(height);
  const forward = new Float32Array(2 * height * half);
  const back = new Float32Array(2 * height * half);
  for (let k1 = 0; k1 < height; k1++) {
    for (let k2 = 0; k2 < half; k2++) {
      let [re, im] = [0, 0];
      for (let i = 0; i < size; i++) {
        const t = (k1 * (top + i)) % height;
        const [c, s] = [columnTurns[2 * t]!, columnTurns[2 * t + 1]!];
        const [a, b] = [rows[2 * (i * half + k2)]!, rows[2 * (i * half + k2) + 1]!];
        re += a * c - b * s;
        im += a * s + b * c;
      }
      // The roll.
      const angle = -2 * Math.PI * (fraction(k1 * down, height) + fraction(k2 * right, width));
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const at = 2 * (k1 * half + k2);
      forward.set([re * c - im * s, re * s + im * c], at);
      back.set(transpose === "exact" ? [re * c - im * s, -re * s - im * c] : [re * c + im * s, re * s - im * c], at);
    }
  }
  return { forward, back };
}

/** The largest |h|^2 of complex values. */
function largestSquare(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i += 2) largest = Math.max(largest, values[i]! ** 2 + values[i + 1]! ** 2);
  return largest;
}

function turns(length: number): Float64Array {
  return Float64Array.from({ length: 2 * length }, (_, i) => {
    const angle = (-2 * Math.PI * Math.floor(i / 2)) / length;
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

function fraction(numerator: number, denominator: number): number {
  return (numerator % denominator) / denominator;
}
