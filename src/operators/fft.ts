import { fftJoin } from "../../kernels/operators/fft-join/kernel.js";
import { fftPack } from "../../kernels/operators/fft-pack/kernel.js";
import { fftPass } from "../../kernels/operators/fft-pass/kernel.js";
import { fftSplit } from "../../kernels/operators/fft-split/kernel.js";
import { fftUnpack } from "../../kernels/operators/fft-unpack/kernel.js";
import type { Tensor } from "../graph/graph.js";
import type { StageGraph } from "./stage-graph.js";

/**
 * Radices of the passes of an FFT of `length`: 8 and 4 for the powers of two, 3, 5, and last whatever primes are left, which
 * cost a direct sum each. Every length works; products of 2, 3 and 5 are fast.
 */
export function fftRadices(length: number): number[] {
  let rest = length;
  const count = (prime: number) => {
    let n = 0;
    for (; rest % prime === 0; rest /= prime) n++;
    return n;
  };
  const twos = count(2);
  // 2^twos = 8^a 4^b 2^c with as few passes as possible, and 4 * 4 rather than 8 * 2.
  const fours = twos === 1 ? 0 : (3 - (twos % 3)) % 3;
  const radices: number[] = [
    ...Array<number>(twos === 1 ? 0 : (twos - 2 * fours) / 3).fill(8),
    ...Array<number>(fours).fill(4),
    ...Array<number>(twos === 1 ? 1 : 0).fill(2),
    ...Array<number>(count(3)).fill(3),
    ...Array<number>(count(5)).fill(5),
  ];
  for (let prime = 7; prime * prime <= rest; prime += 2) radices.push(...Array<number>(count(prime)).fill(prime));
  if (rest > 1) radices.push(rest);
  return radices;
}

/** exp(-2 pi i t / length), t = 0 .. length - 1, interleaved, from float64. */
function fftTwiddles(length: number): Float32Array {
  const table = new Float64Array(2 * length);
  for (let t = 0; t < length; t++) {
    const angle = (-2 * Math.PI * t) / length;
    table[2 * t] = Math.cos(angle);
    table[2 * t + 1] = Math.sin(angle);
  }
  // Multiples of a quarter turn are exact.
  for (let quarter = 0; quarter < 4; quarter++) {
    if ((quarter * length) % 4 !== 0) continue;
    const at = (quarter * length) / 2;
    table.set([[1, 0], [0, -1], [-1, 0], [0, 1]][quarter]!, at); // biome-ignore format: a table
  }
  return Float32Array.from(table);
}

export interface FftLines {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly inverse: boolean;
}

/** The unnormalised DFT along the middle axis of complex data [outer, length, inner]; a length of 1 leaves x as it is. */
export function fft(stage: StageGraph, name: string, x: Tensor, lines: FftLines, to?: Tensor): Tensor {
  const radices = fftRadices(lines.length);
  let value = x;
  let done = 1;
  radices.forEach((radix, pass) => {
    const twiddles = stage.table(`twiddles ${lines.length}`, () => fftTwiddles(lines.length));
    const params = { ...lines, radix, done };
    const y = pass === radices.length - 1 ? (to ?? x.shape) : x.shape;
    value = stage.graph.run(`${name} ${done}`, fftPass, params, { x: value, twiddles }, { y }).y;
    done *= radix;
  });
  return value;
}

/** The unnormalised 2-D DFT of complex planes [planes, rows, columns], interleaved. */
export function fft2(
  stage: StageGraph,
  name: string,
  x: Tensor,
  size: { readonly planes: number; readonly rows: number; readonly columns: number },
  inverse = false,
): Tensor {
  const { planes, rows, columns } = size;
  const inRows = fft(stage, `${name} rows`, x, { outer: planes * rows, length: columns, inner: 1, inverse });
  return fft(stage, `${name} columns`, inRows, { outer: planes, length: rows, inner: columns, inverse });
}

/** Real images in a frame of zeros, and the half spectra [planes, rows, floor(columns / 2) + 1] of the whole. */
export interface Frame {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  /** Extents of the frame. */
  readonly rows: number;
  readonly columns: number;
  /** Padding above and left of the image. */
  readonly top: number;
  readonly left: number;
}

/** Complex values of one half spectrum. */
export function frequencies({ rows, columns }: Pick<Frame, "rows" | "columns">): number {
  return rows * (Math.floor(columns / 2) + 1);
}

export interface RealFftOptions {
  /** v -> factor v + offset on the image first; the frame stays 0. */
  readonly factor?: number;
  readonly offset?: number;
  /** Where to put the spectra; default: a new activation. */
  readonly to?: Tensor;
}

/** Half spectra of real images. */
export function realFft2(
  stage: StageGraph,
  name: string,
  x: Tensor,
  frame: Frame,
  options: RealFftOptions = {},
): Tensor {
  const { factor = 1, offset = 0, to } = options;
  const { planes, height, width, rows, columns, top, left } = frame;
  const lines = planes * Math.ceil(height / 2);
  const half = Math.floor(columns / 2) + 1;
  const { graph } = stage;
  const packing = { planes, height, width, columns, left, factor, offset };
  const packed = graph.run(`${name} pack`, fftPack, packing, { x }, { y: [lines, columns, 2] }).y;
  const inRows = fft(stage, `${name} rows`, packed, { outer: lines, length: columns, inner: 1, inverse: false });
  const splitting = { planes, height, columns, rows, top };
  const y = rows === 1 && to ? to : [planes, rows, half, 2];
  const split = graph.run(`${name} split`, fftSplit, splitting, { x: inRows }, { y }).y;
  return fft(stage, `${name} columns`, split, { outer: planes, length: rows, inner: half, inverse: false }, to);
}

/** Images from half spectra, cut out of the frame: `to` = [base +] factor * the unnormalised inverse DFT. */
export function inverseRealFft2(
  stage: StageGraph,
  name: string,
  spectrum: Tensor,
  frame: Frame,
  to: Tensor | readonly number[],
  factor: number,
  base?: Tensor,
): Tensor {
  const { planes, height, width, rows, columns, top, left } = frame;
  const lines = planes * Math.ceil(height / 2);
  const half = Math.floor(columns / 2) + 1;
  const { graph } = stage;
  const inColumns = fft(stage, `${name} columns`, spectrum, {
    outer: planes,
    length: rows,
    inner: half,
    inverse: true,
  });
  const joining = { planes, height, columns, rows, top };
  const joined = graph.run(`${name} join`, fftJoin, joining, { x: inColumns }, { y: [lines, columns, 2] }).y;
  const inRows = fft(stage, `${name} rows`, joined, { outer: lines, length: columns, inner: 1, inverse: true });
  const unpacking = { planes, height, width, columns, left, factor, base: base !== undefined };
  return graph.run(`${name} unpack`, fftUnpack, unpacking, { x: inRows, base }, { y: to }).y;
}
