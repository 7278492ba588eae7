import { bad, quote } from "../errors.js";
import type { Precision } from "../gpu/contract.js";
import { MULTI_STEP_LEVELS } from "../sample/schedule.js";

/** The largest seed: the generator's key has 32 bits. */
export const MAX_SEED = 2 ** 32 - 1;
/** Seeds that one run may name. */
const MAX_SEEDS = 1_000_000;

/** What a number on the command line must satisfy; absent bounds do not bind. */
export interface NumberRule {
  min?: number;
  max?: number;
  /** The bound itself is not allowed. */
  above?: number;
  /** Accept "inf". */
  infinity?: boolean;
}

function ruleText(kind: string, { min, max, above, infinity }: NumberRule): string {
  const range =
    above !== undefined && max !== undefined
      ? ` above ${above} and up to ${max}`
      : above !== undefined
        ? ` above ${above}`
        : min !== undefined && max !== undefined
          ? ` from ${min} to ${max}`
          : min !== undefined
            ? ` from ${min} on`
            : max !== undefined
              ? ` up to ${max}`
              : "";
  return `${kind}${range}${infinity ? ' or "inf"' : ""}`;
}

const within = (value: number, { min = -Infinity, max = Infinity, above = -Infinity }: NumberRule) =>
  value >= min && value <= max && value > above;

/** A decimal number such as 1.5, .5 or 1e-3 within a range. */
export function parseNumber(text: string, option: string, rule: NumberRule = {}): number {
  const infinite = rule.infinity && /^\+?inf(inity)?$/i.test(text);
  const value = infinite ? Infinity : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  // Digits that overflow to infinity are no way of saying "inf".
  if ((!infinite && !Number.isFinite(value)) || !within(value, rule)) {
    throw bad(`${option} ${quote(text)}: must be ${ruleText("a number", rule)}`);
  }
  return value;
}

/** A whole number within a range. */
export function parseInteger(text: string, option: string, rule: Omit<NumberRule, "infinity"> = {}): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || !within(value, rule)) {
    throw bad(`${option} ${quote(text)}: must be ${ruleText("a whole number", rule)}`);
  }
  return value;
}

/** `--zeta`: 0 (deterministic re-noising) to 1 (all fresh noise). */
export const parseZeta = (text: string, option = "--zeta") => parseNumber(text, option, { min: 0, max: 1 });

/** `--precision`: what `openGpu` takes. */
export function parsePrecision(text: string, option = "--precision"): Precision | "auto" {
  const known = (["f32", "f16", "f16-weights", "auto"] as const).find((name) => name === text);
  if (!known) throw bad(`${option} ${quote(text)}: must be f32, f16, f16-weights or auto`);
  return known;
}

/**
 * `--seeds`: numbers and ranges parted by commas, as in `0-63,100`. Keeps the order and drops repetitions.
 * @throws NcvsdError BAD_ARGUMENT for anything that is no such list, a range that runs backwards, a seed above 2^32 - 1,
 *   or more than a million seeds.
 */
export function parseSeeds(text: string, option = "--seeds"): number[] {
  const rule = "must be whole numbers and ranges such as 0-63,100";
  const seeds = new Set<number>();
  let named = 0;
  for (const part of text.split(",")) {
    const match = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part);
    if (!match) {
      const negative = /^\s*-\s*\d/.test(part) ? "a seed cannot be negative" : rule;
      throw bad(
        `${option} ${quote(text)}: ${part.trim() === "" ? `has an empty entry; ${rule}` : `${quote(part.trim())} is no seed; ${negative}`}`,
      );
    }
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (first > MAX_SEED || last > MAX_SEED) {
      throw bad(`${option} ${quote(part.trim())}: the largest seed is ${MAX_SEED} (2^32 - 1)`);
    }
    if (last < first) throw bad(`${option} ${quote(part.trim())}: a range runs upwards; write ${last}-${first}`);
    named += last - first + 1;
    if (named > MAX_SEEDS) throw bad(`${option} names more than ${MAX_SEEDS} seeds: split them over several runs`);
    for (let seed = first; seed <= last; seed++) seeds.add(seed);
  }
  return [...seeds];
}

/** Seeds in ascending order as the shortest list that `parseSeeds` reads: [0, 1, 2, 100] is "0-2,100". */
export function formatSeeds(seeds: Iterable<number>): string {
  const sorted = [...new Set(seeds)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(",");
}

/**
 * `--ts`: indices into the schedule of 40 levels at which the multi-step sampler evaluates, as in `10,22`: whole numbers from 0
 * (the noisiest) to 38, strictly increasing. A trailing 39, the level at which the reference ends its list without evaluating
 * it, is dropped.
 */
export function parseTs(text: string, option = "--ts"): number[] {
  const last = MULTI_STEP_LEVELS - 1;
  const rule = `must be whole numbers from 0 to ${last - 1}, strictly increasing, such as 10,22 (a trailing ${last} may follow)`;
  const ts = text.split(",").map((part) => {
    if (!/^\s*\d+\s*$/.test(part))
      throw bad(
        `${option} ${quote(text)}: ${part.trim() === "" ? "has an empty entry" : `${quote(part.trim())} is no index`}; ${rule}`,
      );
    return Number(part);
  });
  if (ts.at(-1) === last) ts.pop();
  if (ts.length === 0) throw bad(`${option} ${quote(text)}: names no level to evaluate; ${rule}`);
  ts.forEach((t, i) => {
    if (t >= last) throw bad(`${option} ${quote(text)}: ${t} is out of range; ${rule}`);
    if (i > 0 && t <= ts[i - 1]!) throw bad(`${option} ${quote(text)}: ${t} follows ${ts[i - 1]}; ${rule}`);
  });
  return ts;
}

/** `--range`: the numbers of black and white, as in `0,1`. */
export function parseRange(text: string, option = "--range"): [black: number, white: number] {
  const [black, white, more] = text.split(",").map((part) => Number(part.trim() || "x"));
  if (
    black === undefined ||
    white === undefined ||
    more !== undefined ||
    !(Math.abs(black) < 1e9 && Math.abs(white) < 1e9) ||
    black === white
  )
    throw bad(`${option} ${quote(text)}: must be two numbers, of black and of white, such as 0,1`);
  return [black, white];
}

export const RANGE_HELP = "numbers of black and white in .npy, .npz and .safetensors of floating point (default: -1,1)";
