import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { DATASET_JSON, type Label } from "../../data/dataset-labels.js";
import { openPictureSource } from "../../data/dataset-sources.js";
import type { PictureSource } from "../../data/picture-source.js";
import { ZipWriter } from "../../data/zip-writer.js";
import { bad, counted } from "../../errors.js";
import { onInterrupt } from "../../runs/interrupt.js";
import { version } from "../../runs/package.js";
import { tell } from "../../runs/progress.js";
import { isFolder, syncFolder, WholeFile, writeAtomic } from "../../runs/whole-file.js";
import { isOurs } from "../parts/paths.js";

/** Where a data set's files go. */
export interface Sink {
  add(name: string, bytes: Uint8Array): void;
  /** Writes dataset.json, last of all. */
  finish(json: Uint8Array): void;
  discard(): void;
}

function zipSink(path: string): Sink {
  const file = new WholeFile(path);
  const zip = new ZipWriter((bytes) => file.write(bytes));
  const finish = (json: Uint8Array) => {
    zip.add(DATASET_JSON, json);
    zip.finish();
    file.finish();
  };
  return { add: (name, bytes) => zip.add(name, bytes), finish, discard: () => file.discard() };
}

/** What the commands write, pictures and latents: of ours, what a run that was broken off has left may be replaced. */
const MEMBER = /^\d{5}[/\\]img(\d{8}\.png|-mean-std-\d{8}\.npy)$/;

/** dataset.json comes last: a folder without it is unfinished, and is begun anew. @param force begin a finished one anew, too */
function folderSink(path: string, force: boolean): Sink {
  if (existsSync(path) && !isFolder(path))
    throw bad(`--dest ${path} is a file: name a folder, or a file that ends in .zip`);
  const entries = isFolder(path) ? readdirSync(path, { recursive: true, withFileTypes: true }) : [];
  const there = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.endsWith(".ncvsd-tmp"))
    .map((entry) => relative(path, join(entry.parentPath, entry.name)));
  const json = there.indexOf(DATASET_JSON);
  if (json >= 0 && isOurs(join(path, DATASET_JSON))) {
    if (!force) throw bad(`--dest ${path} is a data set: name another folder, or replace it with --force`);
    there.splice(json, 1);
  }
  if (there.some((name) => !MEMBER.test(name) || !isOurs(join(path, name))))
    throw bad(`--dest ${path} holds other files: name another folder, or empty it`);
  rmSync(join(path, DATASET_JSON), { force: true });
  const stale = new Set(there.map((name) => name.replaceAll("\\", "/")));
  const folders = new Set<string>();
  const add = (name: string, bytes: Uint8Array) => {
    stale.delete(name);
    folders.add(dirname(join(path, name)));
    writeAtomic(join(path, name), bytes, false);
  };
  const finish = (json: Uint8Array) => {
    for (const name of stale) rmSync(join(path, name));
    for (const folder of folders) syncFolder(folder);
    writeAtomic(join(path, DATASET_JSON), json);
  };
  return { add, finish, discard: () => {} };
}

/** The first five of a picture's eight digits name its folder. */
export function memberName(index: number, prefix: string, suffix: string): string {
  const digits = String(index).padStart(8, "0");
  return `${digits.slice(0, 5)}/${prefix}${digits}${suffix}`;
}

export interface SetLabels {
  readonly labelKind: "classes" | "numbers" | "none";
  /** Classes, or numbers of each label; 0: no labels. */
  readonly labelDim: number;
}

/** Writes dataset.json; one picture without a label leaves all without. */
export function finishSet(
  sink: Sink,
  labels: readonly (readonly [string, Label | undefined])[],
  source: PictureSource,
): SetLabels {
  const labelled = labels.every(([, label]) => label !== undefined);
  const json = {
    tool: "ncvsd-gpu",
    version,
    ...(labelled && source.classes ? { classes: source.classes } : {}),
    labels: labelled ? labels : null,
  };
  sink.finish(new TextEncoder().encode(JSON.stringify(json)));
  if (!labelled) return { labelKind: "none", labelDim: 0 };
  const dims = labels.map(([, label]) => (typeof label === "number" ? label + 1 : label!.length));
  const labelKind = typeof labels[0]?.[1] === "number" ? "classes" : "numbers";
  return { labelKind, labelDim: dims.reduce((a, b) => Math.max(a, b), 0) };
}

/** For people: "2 classes". */
export function labelText({ labelKind, labelDim }: SetLabels): string {
  if (labelKind === "none") return "no labels";
  if (labelKind === "numbers") return `labels of ${counted(labelDim, "number")}`;
  return labelDim === 1 ? "1 class" : `${labelDim} classes`;
}

export interface SetFlags {
  readonly dest: string;
  readonly labelFile?: string;
  readonly force?: boolean;
}

/** Opens the source and the new data set, and has it made; one that fails or is interrupted leaves no archive behind. */
export async function makeSet<T>(
  path: string,
  flags: SetFlags,
  make: (source: PictureSource, sink: Sink) => Promise<T>,
): Promise<T & { source: string; kind: string; dest: string }> {
  const zip = /\.zip$/i.test(flags.dest);
  if (zip && existsSync(flags.dest) && !flags.force)
    throw bad(`--dest ${flags.dest} is there: name another, or replace it with --force`);
  const source = await openPictureSource(path, flags.labelFile);
  let sink: Sink | undefined;
  const forget = onInterrupt(() => sink?.discard());
  try {
    if (source.left) tell(source.left);
    sink = zip ? zipSink(flags.dest) : folderSink(flags.dest, flags.force ?? false);
    return { source: path, kind: source.kind, dest: flags.dest, ...(await make(source, sink)) };
  } finally {
    sink?.discard();
    forget();
    await source.close();
  }
}
