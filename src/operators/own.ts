import { bad, NcvsdError } from "../errors.js";
import { checkShape, volume } from "./check.js";
import { checkGram, checkLinear, conjugateDraw, gramDraw } from "./exact-step.js";
import type { Operator, Solve } from "./operator.js";

/** No image or noise of a sampler that goes well reaches this value. */
const DIVERGED = 1e5;

/** Operators whose answers are right by construction, or checked already. */
const sound = new WeakSet<Operator>();

/** Spares an operator of the library from `watched`. */
export function trusted<T extends Operator>(operator: T): T {
  sound.add(operator);
  return operator;
}

/**
 * A user's own operator with every answer checked, so that what it does wrong is told of it and not of the network: no answer at
 * all (`giveUpWaiting`), no Float32Array of the right length, values that are not finite, whatever it throws.
 * @param name for messages; default: its own
 * @throws NcvsdError BAD_ARGUMENT when it is no operator
 */
export function watched(operator: Operator, name: unknown = operator?.name): Operator {
  if (sound.has(operator)) return operator;
  const who = `the operator${typeof name === "string" && name !== "" ? ` ${short(name)}` : ""}`;
  if (typeof operator?.forward !== "function")
    throw bad("operator is missing or has no forward: give one of `operators`, or your own.");
  const shape = checkShape(who, operator.shape);
  const { measurementShape } = operator;
  const whole = Array.isArray(measurementShape) && measurementShape.every((n) => Number.isInteger(n) && n > 0);
  if (!whole || measurementShape.length === 0)
    throw bad(`${who}: measurementShape must be a list of positive integers, such as [3, 64, 64].`);
  const [image, measured] = [volume(shape), volume(measurementShape)];

  const ask = async (
    method: keyof Operator | "gram.T" | "gram.Tt",
    length: number,
    given: Partial<Record<"x" | "y", Float32Array>>,
    give: () => unknown,
  ): Promise<Float32Array> => {
    const values = await answered(`${method} of ${who}`, give);
    if (!(values instanceof Float32Array) || values.length !== length) {
      const got =
        values instanceof Float32Array ? `one of ${values.length}` : Array.isArray(values) ? "an Array" : told(values);
      throw bad(`${method} of ${who} must give a Float32Array of ${length} values, and gave ${got}.`);
    }
    const at = values.findIndex((v) => !Number.isFinite(v));
    // A sampler that diverged is told of by the sampler.
    if (at < 0 || given.x?.some((v) => !(Math.abs(v) < DIVERGED))) return values;
    const wrong = given.y?.find((v) => !Number.isFinite(v));
    const whose =
      wrong === undefined ? "its inputs are finite, so look at the operator" : `the y it was given holds ${wrong}`;
    throw new NcvsdError("NOT_FINITE", `${method} of ${who} gave ${values[at]} at index ${at} of ${length}: ${whose}.`);
  };
  /** Optional methods; what is there has to be a function. */
  const has = (method: keyof Operator) => {
    const found = operator[method];
    if (found === undefined || found === null) return false;
    if (typeof found === "function") return true;
    throw bad(`${method} of ${who} is ${told(found)}, not a function: leave it out, or give one.`);
  };

  type Checked = { -readonly [K in keyof Operator]: Operator[K] };
  const checked: Checked = {
    name: typeof name === "string" ? short(name) : "",
    shape,
    measurementShape,
    forward: (x) => ask("forward", (x.length / image) * measured, { x }, () => operator.forward(x)),
  };
  if (has("adjoint"))
    checked.adjoint = (y) => ask("adjoint", (y.length / measured) * image, { y }, () => operator.adjoint!(y));
  if (has("sampleProximal"))
    checked.sampleProximal = (input) =>
      ask("sampleProximal", input.x.length, input, () => operator.sampleProximal!(input));
  if (operator.noiseShape !== undefined) checked.noiseShape = operator.noiseShape;
  if (typeof operator.curvature === "number") checked.curvature = operator.curvature;
  if (operator.langevinByUla) checked.langevinByUla = true;
  if (typeof operator.withoutNoise === "boolean") checked.withoutNoise = operator.withoutNoise;
  if (has("law")) checked.law = (input) => operator.law!(input);
  if (has("posteriorMean"))
    checked.posteriorMean = (input) =>
      ask("posteriorMean", input.x.length, input, () => operator.posteriorMean!(input));
  if (!checked.sampleProximal && checked.adjoint) derived(checked as Checked & Required<Pick<Checked, "adjoint">>);
  if (has("energyGradient"))
    checked.energyGradient = (input) =>
      ask("energyGradient", input.x.length, input, () => operator.energyGradient!(input));
  if (has("open"))
    checked.open = async (batch) => {
      const session = await answered(`open of ${who}`, () => operator.open!(batch));
      if (typeof session?.release === "function") return session;
      throw bad(`open of ${who} must give a session with release(), and gave ${told(session)}.`);
    };
  if (has("close")) checked.close = () => operator.close!();
  return trusted(checked);

  /** The exact step of a linear operator. */
  function derived(linear: Checked & Required<Pick<Checked, "adjoint">>): void {
    linears.add(linear);
    if (operator.gram) {
      const { W, T, Tt } = operator.gram;
      const map = (method: "T" | "Tt", given: typeof T) =>
        given && { [method]: (v: Float32Array) => ask(`gram.${method}`, v.length, { y: v }, () => given(v)) };
      linear.gram = { W, ...map("T", T), ...map("Tt", Tt) };
      linear.sampleProximal = (input) => gramDraw(linear, input);
      return;
    }
    let solve: Solve | undefined;
    Object.defineProperty(linear, "solve", { get: () => solve, enumerable: true });
    linear.solver = operator.solver ?? {};
    linear.noiseShape = measurementShape;
    linear.langevinByUla = true;
    linear.sampleProximal = async (input) => {
      const [values, took] = await conjugateDraw(linear, input);
      solve = took;
      return values;
    };
  }
}

/** A user's operators whose exact step follows from their adjoint. */
const linears = new WeakSet<Operator>();

/** Operators with such a step that have been seen to be linear. */
const seen = new WeakSet<Operator>();

/**
 * Looks once whether a user's operator whose exact step follows from its adjoint is linear, and gram its own.
 * @throws NcvsdError BAD_ARGUMENT
 */
export async function requireLinear(operator: Operator): Promise<void> {
  if (!linears.has(operator) || seen.has(operator)) return;
  const linear = operator as Operator & Required<Pick<Operator, "adjoint">>;
  await checkLinear(linear);
  if (operator.gram) await checkGram(linear);
  seen.add(operator);
}

/** What is being waited for, and how to stop. */
const waiting = new Map<(error: NcvsdError) => void, string>();

/**
 * Waits for something of the user's; an error says of whom it is.
 * @param what "forward of the operator mine"
 */
export async function answered<T>(what: string, give: () => T | Promise<T>): Promise<T> {
  let stop: (error: NcvsdError) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  waiting.set(stop, what);
  try {
    // In a function of its own: what it throws at once counts as well.
    return await Promise.race([stopped, (async () => give())()]);
  } catch (cause) {
    if (cause instanceof NcvsdError) throw cause;
    throw bad(`${what} failed: ${told(cause).replace(/\.$/, "")}.`, cause);
  } finally {
    waiting.delete(stop);
  }
}

/** For the moment in which nothing is left that could settle a promise (Node's `beforeExit`): what is waited for becomes an error. */
export function giveUpWaiting(): void {
  for (const [stop, what] of waiting)
    stop(
      new NcvsdError(
        "BAD_ARGUMENT",
        `${what} never answered: its promise is still open, and nothing is left to settle it.`,
      ),
    );
}

/** What is being waited for now, for a process that is about to end. */
export function waitedFor(): string | undefined {
  return [...waiting.values()].at(-1);
}

/** Anything that was thrown or given, in a few words. */
function told(value: unknown): string {
  if (value instanceof Error) return short(value.message || value.name);
  if (typeof value === "string") return JSON.stringify(short(value));
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return `an object${value.constructor?.name ? ` (${short(value.constructor.name)})` : ""}`;
}

const short = (text: string) => (text.length > 120 ? `${text.slice(0, 119)}…` : text);
