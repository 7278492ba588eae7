import { didYouMean, NcvsdError, quote } from "../errors.js";

/** Names that an error lists at most. */
const LISTED = 20;

/** What a checkpoint says about its classes. */
export interface ClassList {
  /** Classes the network was trained with; 0 for an unconditional one. */
  labelDim: number;
  /** Their names in order, where the checkpoint has them. */
  labels?: readonly string[] | undefined;
}

/**
 * `--class`: a class by its name (capitals do not matter) or its number.
 * @returns the index, 0 to labelDim - 1
 * @throws NcvsdError BAD_ARGUMENT for an unconditional network, an unknown or ambiguous name, or a number out of range.
 */
export function parseClass(text: string, { labelDim, labels = [] }: ClassList, option = "--class"): number {
  const fail = (message: string) => new NcvsdError("BAD_ARGUMENT", `${option} ${quote(text)}: ${message}`);
  if (labelDim === 0) throw fail("this checkpoint has no classes (label_dim is 0); leave the option out");
  const wanted = text.trim().toLowerCase();
  if (/^[+-]?\d+$/.test(wanted)) {
    const index = Number(wanted);
    // Names may be numbers, too: years, or digits in another order. A sign says that the class's number is meant.
    const named = labels.indexOf(text.trim());
    if (named >= 0 && named !== index && index >= 0 && index < labelDim) {
      throw fail(`it is the name of class ${named} and the number of class ${index}; give +${named} or +${index}`);
    }
    if (named >= 0) return named;
    if (index >= 0 && index < labelDim) return index;
    throw fail(`class numbers of this checkpoint run from 0 to ${labelDim - 1}`);
  }
  if (labels.length === 0)
    throw fail(`this checkpoint does not name its classes; give a number from 0 to ${labelDim - 1}`);
  const names = labels.map((label) => label.toLowerCase());
  const found = names.flatMap((name, i) => (name === wanted ? [i] : []));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw fail(`the classes ${found.join(" and ")} have this name; give the number`);
  const near = wanted === "" ? [] : labels.filter((_, i) => names[i]!.includes(wanted));
  const offered = near.length > 0 ? near : labels;
  const meant = near.length > 0 || wanted === "" ? undefined : didYouMean(text.trim(), labels);
  if (meant) throw fail(`no class has this name; ${meant}`);
  const shown = offered.slice(0, LISTED).join(", ");
  const more = offered.length > LISTED ? `, and ${offered.length - LISTED} more` : "";
  throw fail(`no class has this name; ${near.length > 0 ? "close ones are" : "there are"} ${shown}${more}`);
}

/**
 * `--class` of several images: one class as `parseClass` takes it, several with commas between, or all of them ("all", "balanced").
 * @throws NcvsdError BAD_ARGUMENT as `parseClass`
 */
export function parseClasses(text: string, list: ClassList): number[] {
  const { labelDim, labels = [] } = list;
  const wanted = text.trim().toLowerCase();
  const isName = labels.some((label) => label.toLowerCase() === wanted);
  if (!isName && labelDim > 0 && /^(all|balanced)$/.test(wanted)) return Array.from({ length: labelDim }, (_, i) => i);
  // Names may have commas: only what is no name is taken apart.
  if (isName || !text.includes(",")) return [parseClass(text, list)];
  return text.split(",").map((part) => parseClass(part, list));
}

/** The name of a class, or its number where the checkpoint has no names. */
export function className(index: number, { labels }: ClassList): string {
  return labels?.[index] ?? String(index);
}

/**
 * The class of a seed when none was asked for: every class equally often, the same for a seed in every run. The seed goes
 * through the 32-bit finaliser of MurmurHash3 (a bijection, so that all seeds together are exactly uniform). It takes no draw
 * from the image's own noise: the same seed with the class given explicitly is the same image.
 */
export function drawnClass(seed: number, labelDim: number): number {
  let h = (seed ^ 0x9e3779b9) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) >>> 0;
  return Math.floor((h / 2 ** 32) * labelDim);
}

/**
 * One label per seed: of the classes asked for the one in whose turn the seed is (seed modulo their number: an image depends on its own
 * seed alone), else the seed's own; undefined for an unconditional network.
 */
export function labelsForSeeds(
  seeds: readonly number[],
  labelDim: number,
  asked?: readonly number[],
): number[] | undefined {
  if (labelDim === 0) return undefined;
  return seeds.map((seed) => (asked ? asked[seed % asked.length]! : drawnClass(seed, labelDim)));
}
