import type { RawImage } from "./pixels.js";

/** Filters of `resampled`, with the half width of each in output pixels. */
const FILTERS = {
  box: { support: 0.5, weight: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x: number) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const;

export type Filter = keyof typeof FILTERS;

function cubic(x: number): number {
  const u = Math.abs(x);
  if (u < 1) return (1.5 * u - 2.5) * u * u + 1;
  return u < 2 ? ((-0.5 * u + 2.5) * u - 4) * u + 2 : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Bits behind the point of a weight. */
const PRECISION = 22;

/**
 * A picture of another size, as Pillow computes it, to the bit: each output averages the inputs under a filter as wide as the
 * coarser of the two grids, rows first, 8 bits between the passes, weights in fixed point. A side that stays is left alone.
 */
export function resampled(image: RawImage, width: number, height: number, filter: Filter): RawImage {
  const { channels } = image;
  let { data } = image;
  if (width !== image.width) {
    const lines = { count: image.height, step: image.width * channels, newStep: width * channels };
    data = alongLines(data, weightsOf(image.width, width, filter), lines, channels, channels);
  }
  if (height !== image.height) {
    const lines = { count: width, step: channels, newStep: channels };
    data = alongLines(data, weightsOf(image.height, height, filter), lines, channels, width * channels);
  }
  return { width, height, channels, data };
}

interface Line {
  /** First input of each output, and its weights in fixed point. */
  readonly first: number;
  readonly weights: Int32Array;
}

function weightsOf(from: number, to: number, name: Filter): Line[] {
  const { support, weight } = FILTERS[name];
  const scale = from / to;
  const widened = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support * widened + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support * widened + 0.5), from);
    const weights = Float64Array.from({ length: end - first }, (_, j) => weight((first + j - centre + 0.5) / widened));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: Int32Array.from(weights, (w) => roundAway((w / sum) * 2 ** PRECISION)) };
  });
}

const roundAway = (x: number) => Math.trunc(x < 0 ? x - 0.5 : x + 0.5);

/** Filters every line; `step` and `newStep` lead from line to line, `along` from pixel to pixel of a line. */
function alongLines(
  data: Uint8Array,
  outputs: readonly Line[],
  { count, step, newStep }: { count: number; step: number; newStep: number },
  channels: number,
  along: number,
): Uint8Array {
  const result = new Uint8ClampedArray(outputs.length * count * channels);
  for (let i = 0; i < outputs.length; i++) {
    const { first, weights } = outputs[i]!;
    for (let line = 0; line < count; line++) {
      for (let c = 0; c < channels; c++) {
        // Whole numbers of 32 bits: the weights' sizes add up to less than 2^23, and a byte has 8 bits.
        let sum = 2 ** (PRECISION - 1);
        let at = line * step + first * along + c;
        for (let k = 0; k < weights.length; k++) {
          sum = (sum + Math.imul(weights[k]!, data[at]!)) | 0;
          at += along;
        }
        // The array clamps.
        result[line * newStep + i * along + c] = sum >> PRECISION;
      }
    }
  }
  return new Uint8Array(result.buffer);
}

/** A part of a picture: `left`, `top` may lie outside, where it is black. */
export function cropped(image: RawImage, left: number, top: number, width: number, height: number): RawImage {
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  const from = Math.max(0, left);
  const to = Math.min(image.width, left + width);
  for (let y = 0; y < height && to > from; y++) {
    const row = top + y;
    if (row < 0 || row >= image.height) continue;
    const source = image.data.subarray((row * image.width + from) * channels, (row * image.width + to) * channels);
    data.set(source, (y * width + from - left) * channels);
  }
  return { width, height, channels, data };
}
