import { levelSum } from "../../kernels/operators/level-sum/kernel.js";
import { singularFilter } from "../../kernels/operators/singular-filter/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import type { ImageShape } from "../networks/session.js";
import { checkFinite, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { alongAxis } from "./line-maps.js";
import { linearOperator, type Place } from "./linear-operator.js";
import { largestSingularValue } from "./norm.js";
import { adjointOf, type LineMap } from "./resize.js";
import type { StageGraph } from "./stage-graph.js";

export interface SeparableOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** R: a x H values, a of any size. */
  readonly rows: ArrayLike<number>;
  /** K: b x W values, b of any size. */
  readonly columns: ArrayLike<number>;
}

/**
 * Two matrices, one per axis: y = R x K' per channel, [C, a, b]. The likelihood step is one draw in closed form, by the singular
 * value decompositions of R and K.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function separable(gpu: Gpu, options: SeparableOptions): GpuOperator {
  checkKeys("separable", options, { shape: true, rows: true, columns: true });
  const shape = checkShape("separable", options.shape);
  const map = (name: "rows" | "columns", side: "H" | "W", inputs: number): LineMap => {
    const values = options[name];
    if (!values || values.length === 0 || values.length % inputs !== 0)
      throw bad(
        `separable: ${name} must hold a matrix of ${inputs} columns (${side}), got ${values?.length} values: give them row by row.`,
      );
    checkFinite("separable", name, values);
    return dense(values.length / inputs, inputs, (o, i) => values[o * inputs + i]!);
  };
  const [rows, columns] = [map("rows", "H", shape[1]), map("columns", "W", shape[2])];
  return separableOperator(gpu, { name: "separable", shape, rows, columns });
}

/** A matrix, outputs x inputs, as a map of lines. */
function dense(outputs: number, inputs: number, entry: (o: number, i: number) => number): LineMap {
  return {
    inputs,
    outputs,
    taps: inputs,
    weights: Float64Array.from({ length: inputs * outputs }, (_, at) => entry(at % outputs, Math.floor(at / outputs))),
    positions: Uint32Array.from({ length: inputs * outputs }, (_, at) => Math.floor(at / outputs)),
    dense: true,
  };
}

/** Thin singular value decomposition of a map in float64: A = U diag(S) V'. */
interface Singular {
  readonly values: readonly number[];
  /** V' and U': coordinates of inputs and of outputs; and V. */
  readonly ofInputs: LineMap;
  readonly ofOutputs: LineMap;
  readonly toInputs: LineMap;
}

/** outputs x inputs, row by row. */
function matrixOf({ inputs, outputs, taps, weights, positions }: LineMap): Float64Array {
  const matrix = new Float64Array(outputs * inputs);
  for (let t = 0; t < taps; t++)
    for (let o = 0; o < outputs; o++) matrix[o * inputs + positions[t * outputs + o]!]! += weights[t * outputs + o]!;
  return matrix;
}

async function singular(map: LineMap): Promise<Singular> {
  // A page has it fetched only where such a step is taken.
  const { Matrix, SVD } = await import("ml-matrix");
  const matrix = Matrix.from1DArray(map.outputs, map.inputs, matrixOf(map) as unknown as number[]);
  const svd = new SVD(matrix, { autoTranspose: true });
  const rank = Math.min(map.inputs, map.outputs);
  const { leftSingularVectors: u, rightSingularVectors: v, diagonal } = svd;
  return {
    values: diagonal.slice(0, rank),
    ofInputs: dense(rank, map.inputs, (k, i) => v.get(i, k)),
    ofOutputs: dense(rank, map.outputs, (k, o) => u.get(o, k)),
    toInputs: dense(map.inputs, rank, (i, k) => v.get(i, k)),
  };
}

const normOf = (map: LineMap) => largestSingularValue(matrixOf(map), map.inputs);

interface SeparableMaps {
  readonly name: string;
  readonly shape: ImageShape;
  readonly rows: LineMap;
  readonly columns: LineMap;
  readonly langevinByUla?: boolean;
}

/** y = R x K' per channel from the maps of both axes, with the exact likelihood step. */
export function separableOperator(gpu: Gpu, { name, shape, rows, columns, langevinByUla }: SeparableMaps): GpuOperator {
  const [channels, , width] = shape;
  const back = { rows: adjointOf(rows), columns: adjointOf(columns) };
  const small = [channels, rows.outputs, columns.outputs] as const;
  let decomposed: { readonly rows: Singular; readonly columns: Singular } | undefined;
  const decompose = async () => {
    const ofRows = decomposed?.rows ?? (await singular(rows));
    decomposed ??= { rows: ofRows, columns: same(rows, columns) ? ofRows : await singular(columns) };
    return decomposed;
  };

  /** Rows first, then columns; `inner`: width of what comes in. */
  const both = (s: StageGraph, tag: string, v: Tensor, down: LineMap, across: LineMap, to?: Place) => {
    const lines = alongAxis(s, `${tag} rows`, v, down, { inner: across.inputs });
    return alongAxis(s, `${tag} columns`, lines, across, to ? { to } : {});
  };
  /** A' v, columns first: fewer values on the way where A reduces. */
  const spread = (s: StageGraph, v: Tensor, to: Place, scale = 1) =>
    alongAxis(s, "rows'", alongAxis(s, "columns'", v, back.columns), back.rows, { inner: width, scale, to });

  return linearOperator(gpu, {
    name,
    shape,
    measurementShape: small,
    curvature: 2 * (normOf(rows) * normOf(columns)) ** 2,
    ...(langevinByUla ? { langevinByUla } : {}),
    forward: (s, x, to) => both(s, "A", x, rows, columns, to),
    adjoint: (s, y, to) => spread(s, y, to),
    gradient(s) {
      const lines = alongAxis(s, "A rows", s.input("x"), rows, { inner: width });
      const residual = alongAxis(s, "A columns", lines, columns, { measured: s.input("y") });
      return spread(s, residual, s.out([s.batch, ...shape]), 2);
    },
    async proximal(s) {
      const { rows: r, columns: k } = await decompose();
      const [p, q] = [r.values.length, k.values.length];
      const [x, z, level] = [s.input("x"), s.input("z"), s.input("level")];
      const inputs = {
        x: both(s, "V'", x, r.ofInputs, k.ofInputs),
        z: both(s, "V'", z, r.ofInputs, k.ofInputs),
        measured: s.prepared([s.batch * channels, p, q], (before, to) => {
          both(before, "U'", before.input("y"), r.ofOutputs, k.ofOutputs, to);
        }),
        values: s.table("S", () =>
          Float32Array.from({ length: p * q }, (_, i) => r.values[Math.floor(i / q)]! * k.values[i % q]!),
        ),
        level,
      };
      const params = { planes: s.batch * channels, entries: p * q };
      const filtered = s.graph.run("filter", singularFilter, params, inputs, { y: inputs.x.shape }).y;
      const correction = both(s, "V", filtered, r.toInputs, k.toInputs);
      const sum = { elements: x.length, level: "rho", factor: 1, other: 1 } as const;
      return s.graph.run("draw", levelSum, sum, { a: x, b: z, c: correction, level }, { y: s.out([s.batch, ...shape]) })
        .y;
    },
  });
}

function same(a: LineMap, b: LineMap): boolean {
  const equal = (u: ArrayLike<number>, v: ArrayLike<number>) =>
    u.length === v.length && Array.from(u).every((value, i) => value === v[i]);
  return a.inputs === b.inputs && equal(a.weights, b.weights) && equal(a.positions, b.positions);
}
