import { normals } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";
import { uniforms } from "../random/uniforms.js";
import { BENCHMARK_DIMS, benchmarkMixture, randomMixture } from "./mixtures.js";

/** Points to train on, and what they were before they were standardised. */
export interface Points {
  /** Row by row, of about unit scale. */
  readonly values: Float32Array;
  readonly dims: number;
  /** Value d of a row is (what the file has - mean[d]) / std[d]; absent: they are as they were. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly columns?: readonly string[];
}

/** Points of a mixture, of rings and of a checkerboard; of the moons, which have few. */
const MANY = 100_000;
const MOONS = 2000;
/** The made data sets are the same in every run. */
const SEED = 0;

/** Names of the data sets that need no file. */
export const MADE: readonly string[] = ["moons", "rings", "checkerboard", "gmm:D"];

/**
 * A data set by its name: `moons`, `rings`, `checkerboard`, or `gmm:D`, of which D = 2, 10 and 50 are the benchmark's.
 * @param mixtures the file of the benchmark's mixtures (`bundledMixtures`)
 * @returns undefined for any other name: it is a file's
 */
export async function madePoints(name: string, mixtures: string): Promise<Points | undefined> {
  if (name === "moons") return { values: moons(), dims: 2 };
  if (name === "rings") return { values: rings(), dims: 2 };
  if (name === "checkerboard") return { values: checkerboard(), dims: 2 };
  const [, text] = /^gmm:(.*)$/.exec(name) ?? [];
  if (text === undefined) return undefined;
  const dims = Number(text);
  if (!/^\d+$/.test(text) || dims < 2 || dims > 256)
    throw bad(`${name}: a mixture has 2 to 256 coordinates, as in gmm:10`);
  const mixture = BENCHMARK_DIMS.includes(dims)
    ? (await benchmarkMixture(mixtures, dims)).mixture
    : randomMixture(dims, SEED);
  return { values: Float32Array.from(mixture.sample(MANY, SEED)), dims };
}

/** Two half circles with noise of 0.1, 2,000 points of which four fifths are for training, standardised. */
function moons(): Float32Array {
  const half = MOONS / 2;
  const z = normals(SEED, 0, 2 * MOONS);
  const all = Array.from({ length: MOONS }, (_, i) => {
    const angle = (Math.PI * (i % half)) / (half - 1);
    const [x, y] = i < half ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    return [(x + 0.1 * z[2 * i]! - 0.5) / 0.872, (y + 0.1 * z[2 * i + 1]! - 0.25) / 0.504];
  });
  return Float32Array.from(all.filter((_, i) => i % 5 !== 4).flat());
}

/** Four rings about the origin, the inner ones with more points. */
function rings(): Float32Array {
  const u = uniforms(SEED, 2);
  const z = normals(SEED, 1, MANY);
  const shares = [0.5, 0.75, 0.9, 1];
  return Float32Array.from(
    Array.from({ length: MANY }, (_, i) => {
      const [pick, angle] = [u(), 2 * Math.PI * u()];
      const radius = [0.41, 0.59, 0.77, 0.95][shares.findIndex((share) => pick < share)]! + 0.01 * z[i]!;
      return [2 * radius * Math.cos(angle), 2 * radius * Math.sin(angle)];
    }).flat(),
  );
}

/** Every other tile of 4 x 4 on [-1, 1]^2. */
function checkerboard(): Float32Array {
  const u = uniforms(SEED, 3);
  return Float32Array.from(
    Array.from({ length: MANY }, () => {
      const tile = Math.floor(8 * u());
      const row = Math.floor(tile / 2);
      const column = 2 * (tile % 2) + (row % 2);
      return [(column + u()) / 2 - 1, (row + u()) / 2 - 1];
    }).flat(),
  );
}
