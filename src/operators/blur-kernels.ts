import { bad } from "../errors.js";
import { uniforms } from "../random/uniforms.js";
import { checkInteger, checkPositive } from "./check.js";

/** Index of a half-sample symmetric continuation (d c b a | a b c d | d c b a) of `length` values. */
export function reflected(index: number, length: number): number {
  const period = 2 * length;
  const i = ((index % period) + period) % period;
  return i < length ? i : period - 1 - i;
}

/**
 * The blur kernel that SciPy's `gaussian_filter` makes of a unit impulse in the middle of size x size zeros: weights
 * exp(-j^2 / (2 std^2)) cut off at floor(4 std + 0.5), normalised before they meet the border, where they fold back. Sums to 1.
 * @returns size * size values
 */
export function gaussianKernel(size: number, std: number): Float64Array {
  const line = gaussianLine(size, std);
  return Float64Array.from({ length: size * size }, (_, i) => line[Math.floor(i / size)]! * line[i % size]!);
}

/** The same along one axis: `gaussianKernel` is its outer product. */
export function gaussianLine(size: number, std: number): Float64Array {
  checkInteger("gaussianBlur", "kernelSize", size, 1);
  checkPositive("gaussianBlur", "std", std);
  const radius = Math.floor(4 * std + 0.5);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, j) => Math.exp(-0.5 * ((j - radius) / std) ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  const centre = Math.floor(size / 2);
  const line = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    for (let j = -radius; j <= radius; j++) {
      if (reflected(i + j, size) === centre) line[i] = line[i]! + weights[j + radius]! / sum;
    }
  }
  return line;
}

/** Points of a path per pixel of kernel size. */
const POINTS_PER_PIXEL = 16;

/**
 * A random motion blur kernel: the path of a shaking camera, drawn with anti-aliasing. The camera starts in a random direction
 * at constant speed; its direction does a random walk whose spread over the whole path is `intensity` times a full turn, and
 * now and then (on average `intensity` times 3) it jerks to a new direction within a half turn. The path is scaled to a
 * length of 0.8 (1 - intensity / 2) kernel sizes, centred by its mean, held inside the kernel and splatted bilinearly,
 * and the result sums to 1. Intensity 0 is a straight line. The same seed gives the same kernel everywhere.
 *
 * (The paper's kernels come from a generator that draws with an image library; give those as `kernel`.)
 * @returns size * size values
 */
export function motionKernel(size: number, intensity: number, seed: number): Float64Array {
  checkInteger("motionBlur", "kernelSize", size, 1);
  checkInteger("motionBlur", "seed", seed, 0);
  if (typeof intensity !== "number" || !(intensity >= 0 && intensity <= 1))
    throw bad(`motionBlur: intensity must be from 0 to 1, got ${intensity}.`);
  const random = uniforms(seed, 1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const points = POINTS_PER_PIXEL * size;
  const step = (0.8 * (1 - intensity / 2) * size) / points;
  const turn = (2 * Math.PI * intensity) / Math.sqrt(points);
  const jerk = (3 * intensity) / points;
  let heading = 2 * Math.PI * random();
  const rows = new Float64Array(points);
  const columns = new Float64Array(points);
  for (let i = 1; i < points; i++) {
    heading += turn * normal();
    if (random() < jerk) heading += Math.PI * (2 * random() - 1);
    rows[i] = rows[i - 1]! + step * Math.sin(heading);
    columns[i] = columns[i - 1]! + step * Math.cos(heading);
  }
  const middle = Math.floor(size / 2);
  const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / points;
  const [row0, column0] = [middle - mean(rows), middle - mean(columns)];
  const kernel = new Float64Array(size * size);
  for (let i = 0; i < points; i++) {
    const row = Math.min(size - 1, Math.max(0, rows[i]! + row0));
    const column = Math.min(size - 1, Math.max(0, columns[i]! + column0));
    const [r, c] = [Math.min(size - 1, Math.floor(row)), Math.min(size - 1, Math.floor(column))];
    for (const [dr, dc] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      // biome-ignore format: four neighbours
      const weight = (dr ? row - r : 1 - row + r) * (dc ? column - c : 1 - column + c);
      if (weight > 0) kernel[(r + dr) * size + c + dc]! += weight / points;
    }
  }
  return kernel;
}
