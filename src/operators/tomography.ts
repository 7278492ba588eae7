import { type CtParams, ctEntries, ctTable, directions } from "../../kernels/lib/ct.js";
import { ctBack } from "../../kernels/operators/ct-back/kernel.js";
import { ctProject } from "../../kernels/operators/ct-project/kernel.js";
import { ctRotate } from "../../kernels/operators/ct-rotate/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import { checkFinite, checkInteger, checkPositive, checkShape } from "./check.js";
import { directly } from "./direct-step.js";
import type { GpuOperator } from "./gpu-operator.js";
import { linearOperator } from "./linear-operator.js";
import type { SolverOptions } from "./operator.js";
import type { StageGraph } from "./stage-graph.js";

export interface TomographyOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  readonly geometry: "parallel" | "fan";
  /** In radians, anticlockwise. At 0 the columns are summed, left to right; at pi / 2 the rows, bottom to top. */
  readonly angles: ArrayLike<number>;
  /** Bins of the detector; only projector "rotation" counts them itself. */
  readonly detectors?: number;
  /** Of two bins, at the detector; default 1. All lengths are in one unit, that of `pixelSize`. */
  readonly detectorSpacing?: number;
  /** Of the detector's middle from the foot of the centre of rotation; default 0. */
  readonly detectorOffset?: number;
  /** Default 1. */
  readonly pixelSize?: number;
  /** Fan: from the source to the centre of rotation. */
  readonly sourceDistance?: number;
  /** Fan: from the centre of rotation to the flat detector. */
  readonly detectorDistance?: number;
  /**
   * "pixel" (default): every pixel is seen as a hat of one bin's width. "rotation": sums of the picture rotated bilinearly, without
   * physical units, as a common library has it; parallel rays, square pictures, `angles` alone; ceil(sqrt(2) W) bins.
   */
  readonly projector?: "pixel" | "rotation";
  /** Of the conjugate gradients. */
  readonly solver?: SolverOptions;
}

/**
 * Computed tomography: y [C, angles, detectors] holds line integrals of x in units of value times length. Forward and adjoint are a
 * matched pair. The likelihood step takes two draws; it is made by conjugate gradients, or without iterations where the matrix of one
 * channel has at most 2^17 entries and no `solver` is given. Pictures stand as they are shown, Y upwards.
 *
 * Air is -1 in the network's range, not 0: of a scan p of attenuations from 0 to m, y is 2 p / m - A(1). Bins narrower than a
 * pixel (d < D; in a fan d Rs / (Rs + Rd) < D) let rays fall between the pixels: `warning` says so.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function tomography(gpu: Gpu, options: TomographyOptions): GpuOperator {
  checkKeys("tomography", options, KEYS);
  const shape = checkShape("tomography", options.shape);
  const { geometry, angles, projector = "pixel", solver } = options;
  if (geometry !== "parallel" && geometry !== "fan")
    throw bad(`tomography: geometry must be "parallel" or "fan", got ${String(geometry)}.`);
  if (projector !== "pixel" && projector !== "rotation")
    throw bad(`tomography: projector must be "pixel" or "rotation", got ${String(projector)}.`);
  if (!(angles?.length > 0)) throw bad("tomography: angles must be a list of at least one angle, in radians.");
  checkFinite("tomography", "angles", angles);
  if (projector === "rotation")
    return linearOperator(gpu, { name: "tomography", shape, solver, ...rotated(shape, options) });
  const operator = linearOperator(gpu, {
    ...{ name: "tomography", shape, solver },
    ...projected(shape, options),
    ...direct(shape, options),
  });
  // Only samplers by gradients ask for it, and it takes time.
  let curvature: number | undefined;
  const get = () => {
    curvature ??= 2 * squaredNorm(beam(shape, options), angles);
    return curvature;
  };
  return Object.defineProperty(operator, "curvature", { get, enumerable: true });
}

/** Few rays of a small picture need no iterations. */
function direct(shape: ImageShape, options: TomographyOptions) {
  const { angles, solver } = options;
  const params = beam(shape, options);
  const [inputs, outputs] = [params.height * params.width, angles.length * params.detectors];
  const measurementShape = [shape[0], angles.length, params.detectors];
  const matrix = () => {
    const entries = new Float64Array(outputs * inputs);
    visitEntries(params, angles, (pixel, ray, entry) => {
      entries[ray * inputs + pixel]! += entry;
    });
    return entries;
  };
  return directly("tomography", solver, { outputs, inputs, measurementShape, matrix });
}

/** Every entry of A that is not zero. */
function visitEntries(
  params: CtParams,
  angles: ArrayLike<number>,
  add: (pixel: number, ray: number, entry: number) => void,
): void {
  const { width, detectors } = params;
  ctEntries(params, ctTable(params, angles), (row, column, angle, bin, weight) => {
    for (let j = Math.max(0, Math.floor(bin)); j <= Math.min(detectors - 1, Math.floor(bin) + 1); j++)
      add(row * width + column, angle * detectors + j, weight * (1 - Math.abs(bin - j)));
  });
}

/** ||A||^2 by power iteration; no entry is negative, so that a picture of ones is near the singular vector. */
function squaredNorm(params: CtParams, angles: ArrayLike<number>): number {
  const { height, width, detectors } = params;
  let x = new Float64Array(height * width).fill(1);
  let [value, length] = [0, Math.sqrt(x.length)];
  for (let i = 0; i < 5 && length > 0; i++) {
    const y = new Float64Array(angles.length * detectors);
    visitEntries(params, angles, (pixel, ray, entry) => {
      y[ray]! += entry * x[pixel]!;
    });
    const back = new Float64Array(x.length);
    visitEntries(params, angles, (pixel, ray, entry) => {
      back[pixel]! += entry * y[ray]!;
    });
    const grown = Math.sqrt(back.reduce((sum, v) => sum + v * v, 0));
    value = grown / length;
    [x, length] = [back, grown];
  }
  return value;
}

/** For checkKeys. */
const KEYS = {
  ...({ shape: true, geometry: true, angles: true, detectors: true, projector: true, solver: true } as const),
  ...({ detectorSpacing: true, detectorOffset: true, pixelSize: true } as const),
  ...({ sourceDistance: true, detectorDistance: true } as const),
} as const;

function projected(shape: ImageShape, options: TomographyOptions) {
  const [channels, height, width] = shape;
  const { angles } = options;
  const params = beam(shape, options);
  const { detectors } = params;
  const size = (s: StageGraph) => ({ ...params, planes: s.batch * channels });
  const table = (s: StageGraph) => s.table("directions", () => ctTable(params, angles));
  const maps: Pick<Parameters<typeof linearOperator>[1], "forward" | "adjoint"> = {
    forward: (s, x, to) => s.graph.run("project", ctProject, size(s), { x, directions: table(s) }, { y: to }).y,
    adjoint: (s, x, to) => s.graph.run("back", ctBack, size(s), { x, directions: table(s) }, { y: to }).y,
  };
  if (params.fan) checkSource(height, width, params.source, angles);
  // At the centre of rotation, in pixels.
  const spacing = params.fan ? params.source / (params.reach * params.scale) : 1 / params.scale;
  const warning =
    spacing < 1 - 1e-6
      ? `tomography: bins of ${spacing.toPrecision(3)} pixels at the centre of rotation let rays fall between pixels: take wider bins, or smaller pixels.`
      : undefined;
  return { measurementShape: [channels, angles.length, detectors], ...maps, warning };
}

/** The geometry in pixels. */
function beam([, height, width]: ImageShape, options: TomographyOptions): CtParams {
  const { geometry, angles, detectorOffset = 0 } = options;
  const fan = geometry === "fan";
  const detectors = checkInteger("tomography", "detectors", options.detectors, 1);
  const spacing = checkPositive("tomography", "detectorSpacing", options.detectorSpacing ?? 1);
  const pixel = checkPositive("tomography", "pixelSize", options.pixelSize ?? 1);
  if (typeof detectorOffset !== "number" || !Number.isFinite(detectorOffset))
    throw bad(`tomography: detectorOffset must be a finite number, got ${String(detectorOffset)}.`);
  const distance = (name: "sourceDistance" | "detectorDistance") => {
    if (fan) return checkPositive("tomography", name, options[name]) / pixel;
    if (options[name] !== undefined) throw bad(`tomography: ${name} belongs to geometry "fan": leave it out.`);
    return 0;
  };
  const [source, detector] = [distance("sourceDistance"), distance("detectorDistance")];
  return {
    ...{ planes: 1, height, width, angles: angles.length, detectors, fan },
    scale: pixel / spacing,
    shift: (detectors - 1) / 2 - detectorOffset / spacing,
    gain: (pixel * pixel) / spacing,
    source,
    reach: source + detector,
  };
}

/** No pixel may reach the source. */
function checkSource(height: number, width: number, source: number, angles: ArrayLike<number>): void {
  const table = directions(angles);
  for (let a = 0; a < angles.length; a++) {
    const reach = (Math.abs(table[2 * a + 1]!) * (width - 1) + Math.abs(table[2 * a]!) * (height - 1)) / 2;
    if (source <= reach)
      throw bad(
        `tomography: at angle ${a} pixels reach the source: sourceDistance must be above ${reach.toPrecision(4)} pixels, and is ${source.toPrecision(4)}.`,
      );
  }
}

function rotated([channels, height, width]: ImageShape, options: TomographyOptions) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const alone = new Set(["shape", "geometry", "angles", "projector", "solver"]);
  const foreign = given.find(([key]) => !alone.has(key));
  if (foreign) throw bad(`tomography: ${foreign[0]} has no place with projector "rotation": it takes angles alone.`);
  if (options.geometry !== "parallel" || height !== width)
    throw bad(
      `tomography: projector "rotation" needs geometry "parallel" and a square picture, got ${height} x ${width}.`,
    );
  const grid = Math.ceil(Math.SQRT2 * width);
  const { angles } = options;
  const size = { side: width, angles: angles.length, grid, pad: Math.floor(grid / 2) - Math.floor(width / 2) };
  const table = (s: StageGraph) => s.table("directions", () => Float32Array.from(directions(angles)));
  const map =
    (adjoint: boolean): Parameters<typeof linearOperator>[1]["forward"] =>
    (s, x, to) => {
      const params = { planes: s.batch * channels, ...size, adjoint };
      return s.graph.run(adjoint ? "back" : "project", ctRotate, params, { x, directions: table(s) }, { y: to }).y;
    };
  return {
    measurementShape: [channels, angles.length, grid],
    forward: map(false),
    adjoint: map(true),
    warning: undefined,
  };
}
