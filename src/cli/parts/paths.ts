import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Command } from "commander";
import { NPY_MARK } from "../../checkpoint/npy-write.js";
import { stem } from "../../data/arrays.js";
import { foldedName } from "../../data/names.js";
import { bad } from "../../errors.js";
import { peekPngText } from "../../image/png.js";
import { featuresName, outOfShard } from "../../runs/feature-log.js";
import { bundledFiles } from "../../runs/package.js";
import { chooseShard } from "../../runs/shard.js";
import { checkWritable, isFolder } from "../../runs/whole-file.js";

/**
 * What every path of every command is for, by the option's or the argument's name. An option with a path that is in no list is
 * a fault that a test finds.
 */
export const PATHS = {
  inputs:
    "net network image gnet picture.png teacher vae data ref features operator measurement mask kernel lpips images inception dinov2 file shards results in.pkl snapshots source label-file config geometry model diffusion mixture matrix kernels weights maps probe positions".split(
      " ",
    ),
  files: "grid steps-grid save-raw out trace out.safetensors plot".split(" "),
  folders: ["outdir"],
  /** A folder, unless it has the ending of a file. */
  either: ["dest"],
} as const;

/** Files that a folder of results has besides those of the options. */
const OWN_NAMES = /^((\d{6,}[/\\])?\d{6,}\.png|run\.json|metrics\.(json|md)|overview\.png)$/i;

interface Path {
  /** "--net", or "<shards>". */
  readonly name: string;
  readonly path: string;
  /** A record: where it is ours, so is the file. */
  readonly record?: string;
}

/** Features beside a result, of the whole run or of a shard. */
const features = ({ files, options: { shard } }: Given): readonly Path[] =>
  files.flatMap((given) => {
    const path = outOfShard(given.path, chooseShard(shard as string | true | undefined) ?? { index: 1, count: 1 });
    return [
      { ...given, path },
      { ...given, path: featuresName(path) },
    ];
  });

/** What `train`, `disco train` and `distill` write, besides snapshots. */
const trainingFiles = ({ folders }: Given): readonly Path[] =>
  folders.flatMap(({ name, path }) => {
    const record = join(path, "log.jsonl");
    return ["log.jsonl", "report.html"].map((file) => ({ name, path: join(path, file), record }));
  });

/** Files that commands write without being given their names. */
const DERIVED: Readonly<Record<string, (given: Given) => readonly Path[]>> = {
  fd: features,
  calc: features,
  ref: features,
  stats: features,
  restore: ({ folders }) =>
    folders.flatMap(({ name, path }) => {
      const record = join(path, "metrics.json");
      return ["metrics.json", "metrics.md", "overview.png"].map((file) => ({ name, path: join(path, file), record }));
    }),
  train: trainingFiles,
  distill: trainingFiles,
  calibrate: ({ folders }) =>
    folders.flatMap(({ name, path }) => {
      const record = join(path, "calibration.json");
      return ["calibration.html", "calibration.json"].map((file) => ({ name, path: join(path, file), record }));
    }),
  demo: ({ folders }) =>
    folders.map(({ name, path }) => ({ name, path: join(path, "grid.png"), record: join(path, "1-step/run.json") })),
};

interface Given {
  readonly inputs: Path[];
  readonly files: Path[];
  readonly folders: Path[];
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Refuses, before a command does anything, outputs that would overwrite one of its inputs or another output (also through
 * links and under other spellings), files that are there and were not made by ncvsd-gpu, unless `--force` is given, and those
 * that cannot be written.
 * @throws NcvsdError BAD_ARGUMENT naming both
 */
export function guardPaths(command: Command): void {
  const given = pathsOf(command);
  const inputs = given.inputs.flatMap(withOthers);
  const derived = DERIVED[command.name()]?.(given) ?? [];
  const files = [...given.files, ...derived.filter(({ path }) => !given.files.some((file) => file.path === path))];
  const outputs = [...files, ...given.folders];
  for (const [i, output] of outputs.entries()) {
    const others = outputs.slice(0, i);
    const other = others.find(({ path }) => same(path, output.path));
    if (other) throw bad(`${other.name} and ${output.name} are both ${output.path}: one would be lost, name another`);
    const above = others.find(
      (file) => files.includes(file) && !isFolder(file.path) && within(output.path, file.path) !== undefined,
    );
    if (above)
      throw bad(`${above.name} ${above.path} is a folder on the way to ${output.name} ${output.path}: name another`);
    const input = inputs.find(({ path }) => same(path, output.path));
    if (input)
      throw bad(
        `${output.name} ${output.path} is what ${input.name} reads (${input.path}): it would be lost, name another`,
      );
    if (bundledFiles().some((path) => same(path, output.path)))
      throw bad(`${output.name} ${output.path} is a file of ncvsd-gpu itself: name another`);
  }
  for (const folder of given.folders) {
    for (const file of [...inputs, ...given.files]) {
      if (OWN_NAMES.test(within(file.path, folder.path) ?? ""))
        throw bad(
          `${file.name} ${file.path} has a name that ${folder.name} ${folder.path} uses for its own files: name another`,
        );
    }
    refuseInputsAmongResults(command, folder, inputs);
  }
  refuseForeign(files, inputs, command.opts().force === true);
}

/** A folder of one image's results is named as the image: an input that lies in it could be overwritten. */
function refuseInputsAmongResults(command: Command, folder: Path, inputs: readonly Path[]): void {
  const data = inputs.filter(({ name }) => name === "--data" || name === "--measurement");
  if (command.name() !== "restore") return;
  const names = new Set(
    data.flatMap(({ path }) => (isFolder(path) ? namesIn(path) : [path]).map(stem)).map(foldedName),
  );
  for (const { name, path } of inputs) {
    const first = within(path, folder.path)?.split(sep)[0];
    const isFile = first !== undefined && same(path, join(folder.path, first)) && !isFolder(path);
    if (first !== undefined && !isFile && (names.has(first) || /^\d{6,}$/.test(first)))
      throw bad(`${name} ${path} lies where ${folder.name} ${folder.path} gets the results of an image: name another`);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Whoever reads it says what is wrong.
    return [];
  }
}

function refuseForeign(files: readonly Path[], inputs: readonly Path[], force: boolean): void {
  for (const { name, path, record } of files) {
    // Arguments overwrite nothing, whoever made it.
    if (!name.startsWith("--")) continue;
    // Of a folder of results the command itself says whether it can be made.
    if (record === undefined) checkWritable(path);
    if (!existsSync(path) || isOurs(path) || (record !== undefined && existsSync(record) && isOurs(record))) continue;
    const folder = inputs.find((input) => isFolder(input.path) && within(path, input.path) !== undefined);
    if (folder)
      throw bad(`${name} ${path} lies in what ${folder.name} reads (${folder.path}): it would be lost, name another`);
    if (!force)
      throw bad(`${name} ${path} is there and was not made by ncvsd-gpu: name another, or overwrite it with --force`);
  }
}

/** The paths that a command was given, by what they are for; defaults count. */
function pathsOf(command: Command): Given {
  const found = { inputs: [] as Path[], files: [] as Path[], folders: [] as Path[], options: command.opts() };
  const add = (key: string, name: string, value: unknown) => {
    const paths = (Array.isArray(value) ? value : [value]).filter((path): path is string => typeof path === "string");
    for (const [kind, names] of Object.entries(PATHS) as [keyof typeof PATHS, readonly string[]][])
      if (names.includes(key))
        for (const path of paths)
          found[kind !== "either" ? kind : /\.(zip|pkl|npz|safetensors)$/i.test(path) ? "files" : "folders"].push({
            name,
            path,
          });
  };
  for (const option of command.options)
    add(option.long?.slice(2) ?? "", option.long ?? "", command.getOptionValue(option.attributeName()));
  for (const [i, argument] of command.registeredArguments.entries())
    add(argument.name(), `<${argument.name()}>`, command.processedArgs[i]);
  return found;
}

/** An index of shards stands for all of them, a result for the features beside it. */
function withOthers(given: Path): Path[] {
  if (given.name === "<shards>" && /\.json$/i.test(given.path))
    return [given, { ...given, path: featuresName(given.path) }];
  if (!given.path.endsWith(".index.json")) return [given];
  try {
    const { weight_map: map } = JSON.parse(readFileSync(given.path, "utf8")) as { weight_map: Record<string, string> };
    const shards = [...new Set(Object.values(map))].slice(0, 10_000);
    return [given, ...shards.map((name) => ({ name: given.name, path: join(dirname(given.path), String(name)) }))];
  } catch {
    // Whoever loads it says what is wrong.
    return [given];
  }
}

/** The same file: by its place, by what the file system knows it by, or under a name that some file systems don't tell apart. */
function same(a: string, b: string): boolean {
  if (place(a) === place(b)) return true;
  const [one, two] = [identity(a), identity(b)];
  return one !== undefined && one === two;
}

/** The place with links on the way followed; a missing end is kept. Case and Unicode form are what many file systems ignore. */
function place(path: string): string {
  const absolute = resolve(path);
  let real: string;
  try {
    real = realpathSync(absolute);
  } catch {
    const above = dirname(absolute);
    real = above === absolute ? absolute : join(place(above), basename(absolute));
  }
  return foldedName(real);
}

/** The way from a folder to what lies in it, as the file system would compare it; undefined: it lies elsewhere. */
function within(path: string, folder: string): string | undefined {
  const way = relative(place(folder), place(path));
  return way === "" || way === ".." || way.startsWith(`..${sep}`) || resolve(way) === way ? undefined : way;
}

function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** What tells a file's maker stands in its first bytes: whole files may be larger than memory. */
function startOf(path: string): Buffer {
  const start = Buffer.alloc(Math.min(statSync(path).size, 2 ** 20));
  const fd = openSync(path, "r");
  try {
    return start.subarray(0, readSync(fd, start));
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether a file is one that ncvsd-gpu made (or an empty one, which nobody loses): a picture by its text chunks, JSON by its
 * first key, a page or a table by its generator, safetensors by their metadata.
 */
export function isOurs(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const bytes = startOf(path);
  if (bytes.length === 0) return true;
  const text = bytes.toString("latin1");
  if (bytes[0] === 0x89) return Object.keys(peekPngText(bytes)).some((key) => key.startsWith("ncvsd-gpu:"));
  if (/^\s*\{/.test(text)) return /^\s*\{\s*"tool":\s*"ncvsd-gpu"/.test(text);
  if (/^<!doctype html>/i.test(text)) return text.includes('name="generator" content="ncvsd-gpu');
  if (/^<svg /i.test(text)) return text.slice(0, 1000).includes('data-made-by="ncvsd-gpu"');
  if (text.startsWith("\x93NUMPY")) return text.slice(0, 1000).includes(NPY_MARK);
  // A pickle or archive of statistics.
  if (bytes[0] === 0x80 && text.slice(0, 100).includes("ncvsd-gpu")) return true;
  if (path.endsWith(".md")) return text.includes("(ncvsd-gpu ");
  return isOurSafetensors(text);
}

/** Raw images, features, statistics and the values of a reconstruction: a network that was converted is not replaced. */
function isOurSafetensors(start: string): boolean {
  try {
    const length = Buffer.from(start, "latin1").readUIntLE(0, 6);
    const header = JSON.parse(start.slice(8, 8 + length)) as { __metadata__?: Record<string, unknown> };
    const { tool, ...metadata } = header.__metadata__ ?? {};
    const marks = ["ncvsd_features", "feature_network_sha256", "ncvsd-gpu:run-key"];
    return tool === "ncvsd-gpu" || marks.some((mark) => metadata[mark] !== undefined);
  } catch {
    return false;
  }
}
