import { axpby } from "../../kernels/network/axpby/kernel.js";
import { gramStep } from "../../kernels/operators/gram-step/kernel.js";
import { levelSum } from "../../kernels/operators/level-sum/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { volume } from "./check.js";
import { type GpuOperator, gpuOperator, type OperatorGraphs } from "./gpu-operator.js";
import type { Solve } from "./operator.js";
import type { StageGraph } from "./stage-graph.js";

/** Where a map puts its result: a tensor that is there, or a new one of this shape. */
export type Place = Tensor | readonly number[];

/** Wires a map of the batch into a stage, from one tensor to a place. Names of tables must differ between the two maps. */
export type MapGraph = (stage: StageGraph, from: Tensor, to: Place) => Tensor;

/** A linear operator as the graphs of its maps; the rest follows. */
export interface LinearGraphs
  extends Pick<
    OperatorGraphs,
    "name" | "shape" | "measurementShape" | "curvature" | "langevinByUla" | "warning" | "solver"
  > {
  readonly forward: MapGraph;
  readonly adjoint: MapGraph;
  /** c where A A' = c I on all that A' sees: the exact step is one draw, in closed form. */
  readonly gram?: number;
  /** Of ||A x - y||^2; absent: 2 A'(A x - y) of the maps. */
  readonly gradient?: (stage: StageGraph) => Tensor;
  /** Another closed form: of one draw, or of two with `noiseShape`. Neither: two draws and conjugate gradients. */
  readonly proximal?: (stage: StageGraph) => Tensor | Promise<Tensor>;
  readonly noiseShape?: readonly number[];
  /** What the operator tells of every step where there is nothing to solve. */
  readonly solve?: Solve;
}

/** Makes an operator of the maps of a linear one: gradient of the energy and likelihood step included. */
export function linearOperator(gpu: Gpu, linear: LinearGraphs): GpuOperator {
  const { shape, measurementShape, forward, adjoint, gram, proximal, curvature } = linear;
  const image = (s: StageGraph) => [s.batch, ...shape];
  const measurement = (s: StageGraph) => [s.batch, ...measurementShape];
  const known = curvature ?? (gram === undefined ? undefined : 2 * gram);
  const step = proximal ?? (gram === undefined ? undefined : (s: StageGraph) => gramProximal(s, linear, gram));
  const operator = gpuOperator(gpu, {
    name: linear.name,
    shape,
    measurementShape,
    ...(known === undefined ? {} : { curvature: known }),
    ...(linear.langevinByUla ? { langevinByUla: true } : {}),
    solver: linear.solver,
    warning: linear.warning,
    forward: (s) => forward(s, s.input("x"), s.out(measurement(s))),
    adjoint: (s) => adjoint(s, s.input("y"), s.out(image(s))),
    gradient:
      linear.gradient ??
      ((s) => {
        const seen = forward(s, s.input("x"), measurement(s));
        const elements = s.batch * volume(measurementShape);
        const params = { elements, type: "f32", alpha: 2, beta: -2 } as const;
        const residual = s.graph.run("residual", axpby, params, { a: seen, b: s.input("y") }, { y: seen.shape }).y;
        return adjoint(s, residual, s.out(image(s)));
      }),
    ...(step ? { proximal: step } : {}),
    ...(linear.noiseShape ? { noiseShape: linear.noiseShape } : {}),
  });
  if (linear.solve) Object.defineProperty(operator, "solve", { value: linear.solve, enumerable: true });
  return operator;
}

/** x' = x + rho z + A'(A (g z - M x) + M y); see kernels/operators/gram-step. */
function gramProximal(s: StageGraph, { shape, measurementShape, forward, adjoint }: LinearGraphs, eigenvalue: number) {
  const [images, measurements] = [
    [s.batch, ...shape],
    [s.batch, ...measurementShape],
  ];
  const [x, z, level] = [s.input("x"), s.input("z"), s.input("level")];
  const run = (name: string, inner: boolean, a: Tensor, b: Tensor) => {
    const params = { elements: a.length, eigenvalue, inner };
    return s.graph.run(name, gramStep, params, { a, b, level }, { y: a.shape }).y;
  };
  const seen = forward(s, run("g z - M x", true, z, x), measurements);
  const correction = adjoint(s, run("+ M y", false, seen, s.input("y")), images);
  const params = { elements: x.length, level: "rho", factor: 1, other: 1 } as const;
  return s.graph.run("draw", levelSum, params, { a: x, b: z, c: correction, level }, { y: s.out(images) }).y;
}
