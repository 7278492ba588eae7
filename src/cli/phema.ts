import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Command } from "commander";
import { openCheckpoint, openSource } from "../checkpoint/index.js";
import { castElements, type OutputDtype, planSafetensors } from "../checkpoint/unpickle/writer.js";
import { bad, NcvsdError } from "../errors.js";
import { parseConfig } from "../networks/edm2/config.js";
import { onInterrupt } from "../runs/interrupt.js";
import { withProgress } from "../runs/progress.js";
import { table } from "../runs/table.js";
import { parseImages, parseStds } from "../runs/training-args.js";
import { isFolder, reason, WholeFile } from "../runs/whole-file.js";
import { kindOf } from "../train/bank.js";
import { addScaled, planPostHocEma } from "../train/post-hoc.js";
import { parseSnapshotName, snapshotName } from "../train/snapshot-name.js";
import { convertedChunks, planConversion } from "./convert.js";

interface PhemaFlags {
  snapshots: string;
  std: number[];
  outdir: string;
  time?: number;
  f32?: boolean;
  force?: boolean;
  json?: boolean;
}

/** A stored average, open: its values are read tensor by tensor. */
interface OpenSnapshot {
  readonly path: string;
  readonly time: number;
  readonly std: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

interface Found {
  readonly path: string;
  readonly time: number;
  readonly std: number;
}

/** Time and standard deviation as the file has them, where it does: its name has them rounded. */
async function exactly(found: Found, stem: string, kind: string): Promise<Found> {
  if (!found.path.endsWith(".safetensors")) return found;
  const file = await openCheckpoint(found.path);
  await file.close();
  const [time, std] = [Number(file.metadata.ema_images), Number(file.metadata.ema_std)];
  const same = Number.isSafeInteger(time) && time >= 0 && std > 0 && snapshotName(kind, time, std) === stem;
  return same ? { ...found, time, std } : found;
}

/** Finds a folder's snapshots by their names, in order of time and standard deviation. */
async function findSnapshots(folder: string): Promise<Found[]> {
  if (!isFolder(folder)) throw bad(`--snapshots ${folder} is no folder: give the one with the snapshots of a run`);
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw bad(`--snapshots ${folder} cannot be read: ${reason(cause)}`, cause);
  }
  const found = names.flatMap((file) => {
    const ending = extname(file);
    const stem = basename(file, ending);
    const name = parseSnapshotName(stem);
    return name && [".pkl", ".safetensors"].includes(ending) ? { ...name, stem, path: join(folder, file) } : [];
  });
  if (found.length === 0)
    throw bad(
      `--snapshots ${folder} holds none: their names are such as ${snapshotName("snapshot", 2 ** 24, 0.1)}.pkl`,
    );
  const other = found.find(({ kind }) => kind !== found[0]!.kind);
  if (other)
    throw bad(`${found[0]!.path} and ${other.path} are of different networks: keep the snapshots of one in a folder`);
  const exact: Found[] = [];
  for (const { kind, stem, ...snapshot } of found) exact.push(await exactly(snapshot, stem, kind));
  const sorted = exact.sort((a, b) => a.time - b.time || a.std - b.std);
  const twin = sorted.findIndex((s, i) => i > 0 && s.time === sorted[i - 1]!.time && s.std === sorted[i - 1]!.std);
  if (twin > 0) throw bad(`${sorted[twin - 1]!.path} and ${sorted[twin]!.path} are the same average: keep one of them`);
  return sorted;
}

async function openSnapshot(found: Found): Promise<OpenSnapshot> {
  const { path, time, std } = found;
  if (path.endsWith(".safetensors")) {
    const file = await openCheckpoint(path);
    const { metadata } = file;
    const shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
    return { path, time, std, metadata, shapes, read: (name) => file.readF32(name), close: () => file.close() };
  }
  const source = await openSource(path);
  try {
    const { snapshot, config, order } = await planConversion(source, { dtype: "F32" });
    const { architecture, encoder } = snapshot;
    const metadata: Record<string, string> = { format: "pt", architecture, config: JSON.stringify(config) };
    if (encoder) metadata.encoder = JSON.stringify(encoder);
    const plans = new Map(order.map((tensor) => [tensor.name, tensor]));
    const read = async (name: string) => {
      const tensor = plans.get(name)!;
      const bytes = new Uint8Array(tensor.byteLength);
      let at = 0;
      for await (const piece of convertedChunks(tensor)) {
        bytes.set(piece, at);
        at += piece.length;
      }
      return new Float32Array(bytes.buffer);
    };
    const shapes = new Map(order.map(({ name, shape }) => [name, shape]));
    return { path, time, std, metadata, shapes, read, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** All are of one network: what the last one has is what every one has. */
function checkAlike(snapshots: readonly OpenSnapshot[]): void {
  const last = snapshots.at(-1)!;
  const config = JSON.stringify(parseConfig(asCheckpoint(last)).config);
  for (const other of snapshots.slice(0, -1)) {
    const differs =
      [...last.shapes].find(([name, shape]) => other.shapes.get(name)?.join() !== shape.join())?.[0] ??
      [...other.shapes.keys()].find((name) => !last.shapes.has(name));
    const what = differs === undefined ? "their arguments differ" : `the tensor ${differs} differs`;
    if (differs !== undefined || JSON.stringify(parseConfig(asCheckpoint(other)).config) !== config)
      throw new NcvsdError("BAD_CHECKPOINT", `${other.path} and ${last.path} are not of one network: ${what}`);
  }
}

function asCheckpoint({ path, metadata, shapes }: OpenSnapshot) {
  const tensors = new Map(
    [...shapes].map(([name, shape]) => [name, { name, dtype: "F32", shape, byteLength: 0, file: path }]),
  );
  return { name: path, metadata, tensors };
}

export interface PhemaResult {
  /** End of the profiles, in images. */
  readonly time: number;
  readonly outputs: readonly {
    readonly std: number;
    readonly file: string;
    /** Weight of every snapshot, by its path. */
    readonly coefficients: Readonly<Record<string, number>>;
  }[];
}

/** Reconstructs averages, all at once and tensor by tensor: memory stays at some copies of the largest tensor. */
async function reconstruct({
  snapshots: folder,
  outdir,
  f32,
  force,
  json,
  ...flags
}: PhemaFlags): Promise<PhemaResult> {
  const found = await findSnapshots(folder);
  const targets = flags.std.map((std) => {
    const plan = planPostHocEma(found, { std, ...(flags.time === undefined ? {} : { time: flags.time }) });
    return { ...plan, std, path: join(outdir, `${snapshotName("phema", plan.time, std)}.safetensors`) };
  });
  for (const [i, { path, std }] of targets.entries()) {
    const twin = targets.findIndex((other) => other.path === path);
    if (twin < i) throw bad(`--std ${targets[twin]!.std} and ${std} are both ${path}: names have three decimals`);
    if (existsSync(path) && !force) throw bad(`${path} is there: name another --outdir, or overwrite it with --force`);
  }
  // The same for all targets: they end at one time.
  const used = targets[0]!.used.map(({ index }) => found[index]!);
  const weights = targets.map((target) => target.used.map(({ weight }) => weight));
  const open: OpenSnapshot[] = [];
  const files: WholeFile[] = [];
  const discard = () => {
    for (const file of files) file.discard();
  };
  const forget = onInterrupt(discard);
  try {
    for (const item of used) open.push(await openSnapshot(item));
    checkAlike(open);
    const last = open.at(-1)!;
    const dtype: OutputDtype = f32 ? "F32" : "F16";
    const planned = [...last.shapes].map(([name, shape]) => {
      const elements = shape.reduce((a, b) => a * b, 1);
      return { name, shape, dtype, elements, byteLength: elements * (f32 ? 4 : 2) };
    });
    const { order } = planSafetensors(planned, {});
    for (const { std, time, path } of targets) {
      const file = new WholeFile(path);
      files.push(file);
      file.write(planSafetensors(planned, { ...last.metadata, ema_std: String(std), ema_images: String(time) }).head);
    }
    const silent = json ?? false;
    await withProgress({ total: order.length, label: "reconstructing", unit: "tensor", silent }, async (progress) => {
      for (const [k, { name, elements }] of order.entries()) {
        const sums = targets.map(() => new Float64Array(elements));
        // Buffers are no averages: they are the last snapshot's.
        for (const [i, snapshot] of kindOf(name) === "buffer" ? [] : open.entries()) {
          const values = await snapshot.read(name);
          for (const [t, sum] of sums.entries()) addScaled(sum, weights[t]![i]!, values);
        }
        const buffer = kindOf(name) === "buffer" ? await last.read(name) : undefined;
        for (const [t, sum] of sums.entries()) {
          const values = buffer ?? Float32Array.from(sum);
          const bytes = castElements(new Uint8Array(values.buffer), "F32", dtype);
          if (!bytes) throw bad(`the tensor ${name} holds values that are too large for 16 bits: give --f32`);
          files[t]!.write(bytes);
        }
        progress.update(k + 1);
      }
    });
    for (const file of files) file.finish();
  } finally {
    discard();
    forget();
    for (const snapshot of open) await snapshot.close();
  }
  return {
    time: targets[0]!.time,
    outputs: targets.map(({ std, path }, t) => ({
      std,
      file: path,
      coefficients: Object.fromEntries(used.map((snapshot, i) => [snapshot.path, weights[t]![i]!])),
    })),
  };
}

/** Adds the command `phema` to the program. */
export function registerPhema(program: Command): void {
  program
    .command("phema")
    .summary("reconstruct averages of other lengths from the snapshots of a training run")
    .description(
      "Reconstructs post-hoc averages (Karras et al. 2024) of any length from a run's snapshots: our .safetensors and the " +
        "reference's .pkl, which are read as data. Writes phema-KIMG-STD.safetensors, one for each length. Needs no GPU.",
    )
    .requiredOption("--snapshots <dir>", "the folder with the run's (network-)snapshot-KIMG-STD files")
    .requiredOption(
      "--std <list>",
      "relative standard deviations of the averages wished: 0.05,0.1, or evenly spaced as in 0.05,0.06,...,0.15",
      (text: string) => parseStds(text, "--std"),
    )
    .requiredOption("--out, --outdir <dir>", "where to write them")
    .option(
      "--time <images>",
      "end of the averages, one of the snapshots' times: 16777216 or 16Mi (default: the latest)",
      (text: string) => parseImages(text, "--time", { min: 1 }),
    )
    .option("--f32", "store 32 bits a value (default: 16, as the reference does)")
    .option("--force", "overwrite files that are there")
    .option("--json", "print one JSON object instead of text")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu phema --snapshots run --std 0.05,0.075,...,0.15 --outdir averages",
        "  ncvsd-gpu phema --snapshots run --std 0.1 --time 8Mi --outdir averages",
      ].join("\n"),
    )
    .action(async (flags: PhemaFlags) => {
      const result = await reconstruct(flags);
      if (flags.json) {
        process.stdout.write(`${JSON.stringify(result)}\n`);
        return;
      }
      const rows = result.outputs.map(({ std, file, coefficients }) => {
        const largest = Math.max(...Object.values(coefficients).map(Math.abs));
        return [String(std), `${Object.keys(coefficients).length}`, largest.toFixed(2), file];
      });
      process.stdout.write(`${table(["std", "snapshots", "largest weight", "file"], rows).join("\n")}\n`);
    });
}
