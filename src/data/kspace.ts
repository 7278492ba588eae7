/** Complex numbers of one or several coils, real and imaginary parts apart, each [coils, H, W]. */
export interface Kspace {
  readonly re: Float32Array;
  readonly im: Float32Array;
  readonly coils: number;
  readonly height: number;
  readonly width: number;
}

type Complex = { re: Float64Array; im: Float64Array };

/**
 * Centred orthonormal inverse discrete Fourier transform (`forward`: the transform itself) of lines of n numbers, in place:
 * X_k = n^(-1/2) sum_j x_j e^(+-2 pi i (j - c)(k - c) / n), c = floor(n / 2). By its definition: any length, no rounding to speak of.
 */
function transformLines(
  { re, im }: Complex,
  n: number,
  lines: { count: number; start(line: number): number; stride: number },
  forward: boolean,
): void {
  const centre = Math.floor(n / 2);
  const cos = Float64Array.from({ length: n }, (_, m) => Math.cos((2 * Math.PI * m) / n) / Math.sqrt(n));
  const sin = Float64Array.from(
    { length: n },
    (_, m) => ((forward ? -1 : 1) * Math.sin((2 * Math.PI * m) / n)) / Math.sqrt(n),
  );
  const [outRe, outIm] = [new Float64Array(n), new Float64Array(n)];
  for (let line = 0; line < lines.count; line++) {
    const start = lines.start(line);
    for (let k = 0; k < n; k++) {
      const step = (((k - centre) % n) + n) % n;
      let angle = (((-centre * (k - centre)) % n) + n) % n;
      let [sumRe, sumIm] = [0, 0];
      for (let j = 0, at = start; j < n; j++, at += lines.stride) {
        const [a, b, c, s] = [re[at]!, im[at]!, cos[angle]!, sin[angle]!];
        sumRe += a * c - b * s;
        sumIm += a * s + b * c;
        angle += step;
        if (angle >= n) angle -= n;
      }
      outRe[k] = sumRe;
      outIm[k] = sumIm;
    }
    for (let k = 0, at = start; k < n; k++, at += lines.stride) {
      re[at] = outRe[k]!;
      im[at] = outIm[k]!;
    }
  }
}

const columns = (width: number) => ({ count: width, start: (c: number) => c, stride: width });
const rows = (height: number, width: number) => ({ count: height, start: (r: number) => r * width, stride: 1 });

/** One coil in float64. */
const coilOf = ({ re, im, height, width }: Kspace, coil: number): Complex => {
  const [from, to] = [coil * height * width, (coil + 1) * height * width];
  return { re: Float64Array.from(re.subarray(from, to)), im: Float64Array.from(im.subarray(from, to)) };
};

/**
 * The 0.99 quantile of the picture that the coils make by themselves, the root of the sum of their squared magnitudes: what k-space is
 * divided by, so that pictures reach about 1. With maps S of the coils it is abs(sum_c conj(S_c) F^-1 y_c) / sqrt(sum_c abs(S_c)^2).
 */
export function kspaceScale(kspace: Kspace): number {
  const { coils, height, width } = kspace;
  const squares = new Float64Array(height * width);
  for (let coil = 0; coil < coils; coil++) {
    const own = coilOf(kspace, coil);
    transformLines(own, width, rows(height, width), false);
    transformLines(own, height, columns(width), false);
    for (let i = 0; i < squares.length; i++) squares[i]! += own.re[i]! ** 2 + own.im[i]! ** 2;
  }
  const sorted = squares.sort();
  return Math.sqrt(sorted[Math.floor(0.99 * (sorted.length - 1))]!);
}

/**
 * K-space of the middle `kept` rows of the picture: the direction of readout, which scanners sample twofold and always whole.
 */
export function cropReadout(kspace: Kspace, kept: number): Kspace {
  const { coils, height, width } = kspace;
  const top = Math.floor(height / 2) - Math.floor(kept / 2);
  const size = kept * width;
  const [re, im] = [new Float32Array(coils * size), new Float32Array(coils * size)];
  for (let coil = 0; coil < coils; coil++) {
    const own = coilOf(kspace, coil);
    transformLines(own, height, columns(width), false);
    const middle = {
      re: own.re.slice(top * width, top * width + size),
      im: own.im.slice(top * width, top * width + size),
    };
    transformLines(middle, kept, columns(width), true);
    re.set(middle.re, coil * size);
    im.set(middle.im, coil * size);
  }
  return { re, im, coils, height: kept, width };
}

/** What was measured, read off the zeros: H*W ones and zeros, or W where all rows are alike. */
export function measuredMask({ re, im, coils, height, width }: Kspace): Float32Array {
  const size = height * width;
  const mask = new Float32Array(size);
  for (let coil = 0; coil < coils; coil++)
    for (let i = 0; i < size; i++) if (re[coil * size + i] !== 0 || im[coil * size + i] !== 0) mask[i] = 1;
  const alike = mask.every((known, i) => known === mask[i % width]);
  return alike ? mask.slice(0, width) : mask;
}

/** As measurements have them: [coils, 2, H, W], or [2, H, W] of a single coil. */
export function planes({ re, im, coils, height, width }: Kspace): { shape: readonly number[]; values: Float32Array } {
  const size = height * width;
  const values = new Float32Array(2 * re.length);
  for (let coil = 0; coil < coils; coil++) {
    values.set(re.subarray(coil * size, (coil + 1) * size), 2 * coil * size);
    values.set(im.subarray(coil * size, (coil + 1) * size), (2 * coil + 1) * size);
  }
  return { shape: coils === 1 ? [2, height, width] : [coils, 2, height, width], values };
}
