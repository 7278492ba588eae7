import { normals } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";
import { solverSettings } from "./cgls.js";
import { volume } from "./check.js";
import { checkDraw } from "./draw-input.js";
import type { Operator, ProximalInput, Solve } from "./operator.js";

/** An operator on arrays that is linear: what its exact likelihood step needs. */
type Linear = Pick<Operator, "name" | "shape" | "measurementShape" | "forward" | "gram" | "solver"> &
  Required<Pick<Operator, "adjoint">>;

/** Draw `draw` of the seeds, `elements` values per image. */
function drawn(seeds: ArrayLike<number> | undefined, draw: number, batch: number, elements: number): Float32Array {
  const z = new Float32Array(batch * elements);
  for (let i = 0; i < batch; i++) z.set(normals(seeds?.[i] ?? i, draw, elements), i * elements);
  return z;
}

/** Eigenvalues as one list per measurement, or a number. */
function eigenvalues(operator: Linear): (entry: number) => number {
  const { W } = operator.gram!;
  const measured = volume(operator.measurementShape);
  if (typeof W !== "number" && W?.length !== measured)
    throw bad(
      `gram.W${of(operator)} holds ${W?.length} values: one number, or one for each of the ${measured} entries.`,
    );
  const list = typeof W === "number" ? [W] : W;
  for (let i = 0; i < list.length; i++) {
    if (!(list[i]! >= 0 && Number.isFinite(list[i])))
      throw bad(
        `gram.W${of(operator)} holds ${list[i]} at index ${i}: eigenvalues of A A' are finite and not negative.`,
      );
  }
  return (entry) => list[list.length === 1 ? 0 : entry % measured]!;
}

const of = ({ name }: Pick<Operator, "name">) => (name ? ` of ${name}` : "");

/**
 * One draw where A A' = T W T' is known, through the operator's maps on arrays:
 *
 *     x' = x + rho z + A' T (M T' (y - A x) + g T' A z)
 *     M = rho^2 / (s^2 + rho^2 W),   g = -(rho^3 / s^2) / (q (1 + q)),   q = sqrt(1 + rho^2 W / s^2)
 *
 * Where W is 0, A' sees nothing: the entry is left out, whatever y is there.
 */
export async function gramDraw(operator: Linear, input: ProximalInput): Promise<Float32Array> {
  const { x, y, sigma, rho, seeds } = input;
  const batch = checkDraw(operator.name || "operator", { ...operator, noiseShape: undefined }, input);
  const z = input.noise ?? drawn(seeds, 0, batch, volume(operator.shape));
  const w = eigenvalues(operator);
  const { T, Tt } = operator.gram!;
  const given = async (map: typeof T, v: Float32Array) => (map ? map(v) : v);
  const [ax, az] = [await operator.forward(x), await operator.forward(z)];
  const known = T || Tt ? () => true : (i: number) => w(i) > 0;
  const residual = await given(
    Tt,
    ax.map((v, i) => (known(i) ? y[i]! - v : 0)),
  );
  const seen = await given(Tt, az);
  const ratio = (rho / sigma) ** 2;
  const v = residual.map((d, i) => {
    const spread = 1 + ratio * w(i);
    const q = Math.sqrt(spread);
    return w(i) > 0 ? (ratio / spread) * d - ((rho * ratio) / (q * (1 + q))) * seen[i]! : 0;
  });
  const correction = await operator.adjoint(await given(T, v));
  return correction.map((c, i) => x[i]! + rho * z[i]! + c);
}

/** Conjugate gradients of one image; vectors in float64, maps as the operator makes them. */
class Image {
  readonly e: Float64Array;
  readonly p: Float64Array;
  readonly r1: Float64Array;
  readonly r2: Float64Array;
  c = 0;
  steps = 0;
  finished = false;
  readonly lowered: number[] = [];

  constructor(image: number, residual: Float64Array) {
    this.e = new Float64Array(image);
    this.r2 = new Float64Array(image);
    this.p = new Float64Array(image);
    this.r1 = residual;
  }

  /** With g = A' r1: the next direction, and whether there is one. */
  turn(g: Float32Array, t: number, limit: number): void {
    const { p, r2 } = this;
    let c = 0;
    for (let i = 0; i < g.length; i++) c += (g[i]! + t * r2[i]!) ** 2;
    const ten = this.lowered.slice(-10).reduce((a, b) => a + b, 0);
    const all = this.lowered.reduce((a, b) => a + b, 0);
    const least = Math.max(1e-4 * limit, 1e-14 * all);
    const enough = this.steps > 0 && (!(ten >= limit) || this.lowered.at(-1)! < least);
    this.finished ||= !(c > 0) || enough;
    const ratio = this.steps > 0 && !this.finished ? c / this.c : 0;
    for (let i = 0; i < g.length; i++) p[i] = g[i]! + t * r2[i]! + ratio * p[i]!;
    this.c = c;
  }

  /** With q = A p. */
  move(q: Float32Array, t: number, sigma: number): void {
    if (this.finished) return;
    const { e, p, r1, r2 } = this;
    const curvature = squared(q) + t * t * squared(p);
    if (!(curvature > 0)) {
      this.finished = true;
      return;
    }
    const al = this.c / curvature;
    for (let i = 0; i < p.length; i++) {
      e[i]! += al * p[i]!;
      r2[i]! -= al * t * p[i]!;
    }
    for (let i = 0; i < q.length; i++) r1[i]! -= al * q[i]!;
    this.steps++;
    this.lowered.push((al * this.c) / sigma ** 2);
  }
}

const squared = (v: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < v.length; i++) sum += v[i]! ** 2;
  return sum;
};

/** Two draws and conjugate gradients (see `Cgls`) through an operator's maps on arrays. */
export async function conjugateDraw(operator: Linear, input: ProximalInput): Promise<readonly [Float32Array, Solve]> {
  const { x, y, sigma, rho, seeds } = input;
  const { tolerance, maxIterations } = solverSettings(operator.name || "operator", operator.solver);
  const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
  checkDraw(operator.name || "operator", { ...operator, noiseShape: operator.measurementShape }, input);
  const batch = x.length / n;
  const z = input.noise ?? drawn(seeds, 0, batch, n);
  const zy = input.noiseY ?? drawn(seeds, 1, batch, m);
  const xt = x.map((v, i) => v + rho * z[i]!);
  const ax = await operator.forward(xt);
  const t = sigma / rho;
  const images = Array.from({ length: batch }, (_, b) => {
    const residual = Float64Array.from(
      { length: m },
      (_, i) => y[b * m + i]! - sigma * zy[b * m + i]! - ax[b * m + i]!,
    );
    return new Image(n, residual);
  });
  const packed = (one: number, of: (image: Image) => Float64Array) => {
    const all = new Float32Array(batch * one);
    images.forEach((image, b) => void all.set(of(image), b * one));
    return all;
  };
  const turn = async () => {
    const g = await operator.adjoint(packed(m, ({ r1 }) => r1));
    images.forEach((image, b) => void image.turn(g.subarray(b * n, (b + 1) * n), t, tolerance ** 2 * n));
  };
  await turn();
  for (let k = 0; k < maxIterations && images.some(({ finished }) => !finished); k++) {
    const q = await operator.forward(packed(n, ({ p }) => p));
    images.forEach((image, b) => void image.move(q.subarray(b * m, (b + 1) * m), t, sigma));
    await turn();
  }
  const e = packed(n, (image) => image.e);
  return [
    xt.map((v, i) => v + e[i]!),
    { iterations: Math.max(...images.map(({ steps }) => steps)), converged: images.every(({ finished }) => finished) },
  ];
}

/**
 * Is A linear, and is A' its adjoint? Three forwards and one adjoint of random pictures.
 * @throws NcvsdError BAD_ARGUMENT
 */
export async function checkLinear(operator: Linear): Promise<void> {
  const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
  const [a, b, v] = [normals(1, 0, n), normals(2, 0, n), Float32Array.from(normals(3, 0, m))];
  const x = Float32Array.from(a);
  const [ax, ab] = [await operator.forward(x.slice()), await operator.forward(Float32Array.from(b))];
  const both = await operator.forward(Float32Array.from(a, (value, i) => 2 * value + b[i]!));
  const gap = Math.sqrt(squared(both.map((value, i) => value - (2 * ax[i]! + ab[i]!))));
  const size = 2 * Math.sqrt(squared(ax)) + Math.sqrt(squared(ab));
  if (!(gap <= LINEAR * size))
    throw bad(
      `The operator${of(operator)} is not linear: A(2 a + b) differs from 2 A(a) + A(b) by ${(gap / size).toPrecision(2)} of its size; without an adjoint it may have an energyGradient.`,
    );
  const back = await operator.adjoint(v.slice());
  const apart = Math.abs(dot(ax, v) - dot(x, back));
  const scale = Math.sqrt(squared(ax) * squared(v)) + Math.sqrt(squared(x) * squared(back));
  if (!(apart <= LINEAR * scale))
    throw bad(
      `The adjoint${of(operator)} is not that of its forward: <A x, v> and <x, A' v> differ by ${(apart / scale).toPrecision(2)} of their size; it must be the transposed map.`,
    );
}

/**
 * Is gram that of A? A A' v and T W T' v of a random measurement.
 * @throws NcvsdError BAD_ARGUMENT
 */
export async function checkGram(operator: Linear): Promise<void> {
  const w = eigenvalues(operator);
  const { T, Tt } = operator.gram!;
  const v = Float32Array.from(normals(4, 0, volume(operator.measurementShape)));
  const seen = await operator.forward(await operator.adjoint(v.slice()));
  const coordinates = Tt ? await Tt(v.slice()) : v;
  const weighed = coordinates.map((value, i) => w(i) * value);
  const told = T ? await T(weighed) : weighed;
  const gap = Math.sqrt(squared(seen.map((value, i) => value - told[i]!)));
  const size = Math.sqrt(squared(seen)) + Math.sqrt(squared(told));
  if (!(gap <= LINEAR * size))
    throw bad(
      `gram${of(operator)} is not that of A: A A' v and T W T' v differ by ${(gap / size).toPrecision(2)} of their size; leave it out to solve without it.`,
    );
}

/** Maps in single precision are right to about 1e-6. */
const LINEAR = 1e-4;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
