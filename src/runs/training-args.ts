import { bad, quote } from "../errors.js";
import { MAX_STD } from "../train/schedule.js";
import { parseNumber } from "./args.js";

/** Averages that one list may name. */
const MAX_STDS = 1000;
const SUFFIXES: Readonly<Record<string, number>> = { "": 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** A number of images such as 16777216, 16Mi or 64Ki. */
export function parseImages(text: string, option: string, { min = 0 } = {}): number {
  const [, digits, suffix] = /^(\d+)(|Ki|Mi|Gi)$/.exec(text) ?? [];
  const images = digits === undefined ? Number.NaN : Number(digits) * SUFFIXES[suffix!]!;
  if (!Number.isSafeInteger(images) || images < min)
    throw bad(`${option} ${quote(text)}: must be a number of images from ${min} on, such as 16777216, 16Mi or 64Ki`);
  return images;
}

/**
 * A list of relative standard deviations: numbers, and `a,b,...,c` for an even spacing, as in 0.05,0.06,...,0.15.
 * @returns them in the order given
 */
export function parseStds(text: string, option: string): number[] {
  const rule = "must be numbers such as 0.05,0.1, or evenly spaced ones as in 0.05,0.06,...,0.15";
  const stds: number[] = [];
  const parts = text.split(",").map((part) => part.trim());
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] !== "...") {
      stds.push(parseNumber(parts[i]!, option, { above: 0 }));
      continue;
    }
    const end = parts[i + 1] === undefined ? Number.NaN : parseNumber(parts[++i]!, option, { above: 0 });
    const [before, last] = stds.slice(-2);
    const step = last! - before!;
    const count = Math.round((end - last!) / step);
    // Not finite: nothing before or after the dots, or two equal numbers.
    if (!(count >= 1 && count <= MAX_STDS)) throw bad(`${option} ${quote(text)}: the dots lead nowhere; ${rule}`);
    if (Math.abs(last! + count * step - end) > 1e-6 * Math.abs(step))
      throw bad(`${option} ${quote(text)}: steps of ${Number(step.toPrecision(6))} do not end at ${end}; ${rule}`);
    for (let k = 1; k < count; k++) stds.push(Number((last! + k * step).toPrecision(12)));
    stds.push(end);
  }
  if (stds.length > MAX_STDS) throw bad(`${option} names more than ${MAX_STDS} averages`);
  const wide = stds.find((std) => std >= MAX_STD);
  if (wide !== undefined) throw bad(`${option} ${quote(text)}: ${wide} is not below 0.2887`);
  return stds;
}
