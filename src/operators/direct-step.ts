import { Matrix, SVD } from "ml-matrix";
import { levelSum } from "../../kernels/operators/level-sum/kernel.js";
import { matrixProduct } from "../../kernels/operators/matrix-product/kernel.js";
import { singularFilter } from "../../kernels/operators/singular-filter/kernel.js";
import type { Tensor } from "../graph/graph.js";
import { solverSettings } from "./cgls.js";
import type { SolverOptions } from "./operator.js";
import type { StageGraph } from "./stage-graph.js";

/** Entries of one channel's matrix up to which it is taken apart: some seconds on the host, once. */
const DIRECT_UP_TO = 2 ** 17;
/** Singular values below this part of the largest are rounding of zero. */
const LEAST = 1e-7;

/** A = U diag(values) V' of one channel, without its null space; one singular vector after the other. */
interface Singular {
  readonly values: Float32Array;
  /** Singular vectors x pixels, and x entries of a measurement. */
  readonly ofPictures: Float32Array;
  readonly ofMeasurements: Float32Array;
}

/** @param matrix outputs x inputs, row by row */
function decompose(matrix: Float64Array, outputs: number, inputs: number): Singular {
  const svd = new SVD(Matrix.from1DArray(outputs, inputs, matrix as unknown as number[]), { autoTranspose: true });
  const largest = Math.max(0, ...svd.diagonal);
  const kept = svd.diagonal.flatMap((value, i) => (value > LEAST * largest ? [i] : []));
  // A matrix of zeros keeps one vector, with the value 0: nothing is empty.
  const used = kept.length > 0 ? kept : [0];
  const rows = (from: Matrix, length: number) =>
    Float32Array.from({ length: used.length * length }, (_, at) =>
      from.get(at % length, used[Math.floor(at / length)]!),
    );
  return {
    values: Float32Array.from(used, (i) => svd.diagonal[i]!),
    ofPictures: rows(svd.rightSingularVectors, inputs),
    ofMeasurements: rows(svd.leftSingularVectors, outputs),
  };
}

function transposed(m: Float32Array, columns: number): Float32Array {
  const rows = m.length / columns;
  return Float32Array.from({ length: m.length }, (_, at) => m[(at % rows) * columns + Math.floor(at / rows)]!);
}

/**
 * The two-draw likelihood step without iterations, for operators whose matrix of one channel is small (tomography of few rays):
 *
 *     xt = x + rho z,  yt = y - s zy,  x' = xt + V [ S rho^2 / (s^2 + rho^2 S^2) (U' yt - S V' xt) ]
 *
 * the same function of the draws as conjugate gradients come to, at every level.
 */
function directStep(matrix: () => Float64Array, outputs: number, inputs: number): (s: StageGraph) => Tensor {
  let found: Singular | undefined;
  return (s) => {
    found ??= decompose(matrix(), outputs, inputs);
    const { values, ofPictures, ofMeasurements } = found;
    const entries = values.length;
    const [x, y, z, zy, level] = (["x", "y", "z", "zy", "level"] as const).map((name) => s.input(name)) as Five;
    const rows = x.length / inputs;
    const sum = (name: string, which: "sigma" | "rho", factor: number, a: Tensor, b: Tensor) =>
      s.graph.run(
        name,
        levelSum,
        { elements: a.length, level: which, factor, other: 0 },
        { a, b, level },
        { y: a.shape },
      ).y;
    const product = (name: string, v: Tensor, from: number, to: number, table: () => Float32Array) =>
      s.graph.run(
        name,
        matrixProduct,
        { rows, inputs: from, outputs: to },
        { x: v, m: s.table(`${name} entries`, table) },
        { y: [rows, to] },
      ).y;
    const filtered = s.graph.run(
      "filter",
      singularFilter,
      { planes: rows, entries },
      {
        x: product("V'", sum("x + rho z", "rho", 1, x, z), inputs, entries, () => ofPictures),
        z: s.table("no draw", () => new Float32Array(rows * entries)),
        measured: product("U'", sum("y - s zy", "sigma", -1, y, zy), outputs, entries, () => ofMeasurements),
        values: s.table("S", () => values),
        level,
      },
      { y: [rows, entries] },
    ).y;
    const c = product("V", filtered, entries, inputs, () => transposed(ofPictures, inputs));
    const last = { elements: x.length, level: "rho", factor: 1, other: 1 } as const;
    return s.graph.run("draw", levelSum, last, { a: x, b: z, c, level }, { y: s.out(x.shape) }).y;
  };
}

/** One channel of an operator. */
interface Channel {
  readonly outputs: number;
  readonly inputs: number;
  /** Of the operator: shape of its second draw. */
  readonly measurementShape: readonly number[];
  /** outputs x inputs, row by row; asked for once, when it is needed. */
  matrix(): Float64Array;
}

/** For `linearOperator`: the closed form where the matrix is small and nobody says how the step is to be solved. */
export function directly(name: string, solver: SolverOptions | undefined, channel: Channel) {
  solverSettings(name, solver);
  const { outputs, inputs, measurementShape } = channel;
  const asked = solver?.tolerance !== undefined || solver?.maxIterations !== undefined;
  if (asked || outputs * inputs > DIRECT_UP_TO) return {};
  const proximal = directStep(() => channel.matrix(), outputs, inputs);
  return { proximal, noiseShape: measurementShape, solve: { iterations: 0, converged: true } };
}

type Five = [Tensor, Tensor, Tensor, Tensor, Tensor];
