import { bad, quote } from "../errors.js";
import type { FileTree } from "./file-tree.js";

/** One picture's label: its class, or numbers that are taken as they are. */
export type Label = number | readonly number[];

/** What a data set's dataset.json says; undefined labels: it has none. */
export interface DatasetJson {
  readonly labels: ReadonlyMap<string, Label> | undefined;
  /** Names of the classes, which the reference's files do not have. */
  readonly classes: readonly string[] | undefined;
}

export const DATASET_JSON = "dataset.json";
/** Labels of ImageNet take 40 MB. */
const LARGEST_JSON = 2 ** 28;
/** Extents of a label, classes in particular: every picture's row of them is made. */
const MAX_LABEL_DIM = 65_536;

/**
 * Reads dataset.json at the root of a data set: `{"labels": [["00000/img00000000.png", 6], ...]}` or `{"labels": null}`.
 * @throws BAD_ARGUMENT naming the file and the entry that is wrong
 */
export async function readDatasetJson(tree: FileTree): Promise<DatasetJson> {
  const where = tree.where(DATASET_JSON);
  const bytes = await tree.read(DATASET_JSON, LARGEST_JSON);
  if (!bytes) return { labels: undefined, classes: undefined };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw bad(`${where} is no JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw bad(`${where} is no JSON object`);
  const { labels, classes } = json as { labels?: unknown; classes?: unknown };
  const names = Array.isArray(classes) && classes.every((c) => typeof c === "string") ? classes : undefined;
  if (labels === null || labels === undefined) return { labels: undefined, classes: names };
  if (!Array.isArray(labels)) throw bad(`${where}: "labels" must be a list of [file, label], or null`);
  const found = new Map<string, Label>();
  for (const [i, entry] of labels.entries()) {
    const [name, label, more] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof name !== "string" || !isLabel(label) || more !== undefined)
      throw bad(
        `${where}: entry ${i} of "labels" is no [file, label], where a label is a class from 0 to ${MAX_LABEL_DIM - 1} or a list of numbers`,
      );
    found.set(name.replaceAll("\\", "/").normalize("NFC"), label);
  }
  return { labels: found, classes: names };
}

function isLabel(label: unknown): label is Label {
  if (Array.isArray(label))
    return label.length > 0 && label.length <= MAX_LABEL_DIM && label.every((x) => Number.isFinite(x));
  return Number.isInteger(label) && (label as number) >= 0 && (label as number) < MAX_LABEL_DIM;
}

/** Labels of all pictures of a data set, in their order. */
export interface LabelRows {
  /** Length of a row; 0: there are no labels. */
  readonly dim: number;
  /** Classes; undefined: the labels are numbers of their own. */
  readonly classes: Int32Array | undefined;
  /** A row of its own for every call. */
  row(i: number): Float32Array;
}

/** @throws BAD_ARGUMENT naming the first picture without a label, or with one of another kind */
export function labelRows(tree: FileTree, labels: ReadonlyMap<string, Label> | undefined): LabelRows {
  if (!labels) return { dim: 0, classes: undefined, row: () => new Float32Array(0) };
  const given = tree.names.map((name) => {
    const label = labels.get(name);
    if (label === undefined) throw bad(`${tree.where(DATASET_JSON)} has no label for ${quote(name)}`);
    return label;
  });
  const lengthOf = (label: Label) => (typeof label === "number" ? 0 : label.length);
  const odd = given.findIndex((label) => lengthOf(label) !== lengthOf(given[0]!));
  if (odd >= 0) throw bad(`${tree.where(DATASET_JSON)}: the label of ${quote(tree.names[odd]!)} is of another length`);
  if (typeof given[0] !== "number") {
    const rows = given.map((label) => Float32Array.from(label as readonly number[]));
    return { dim: lengthOf(given[0] ?? 0), classes: undefined, row: (i) => rows[i]!.slice() };
  }
  const classes = Int32Array.from(given as number[]);
  const dim = classes.reduce((a, b) => Math.max(a, b), 0) + 1;
  const row = (i: number) => {
    const values = new Float32Array(dim);
    values[classes[i]!] = 1;
    return values;
  };
  return { dim, classes, row };
}
