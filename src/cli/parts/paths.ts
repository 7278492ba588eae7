import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { bad } from "../../errors.js";
import { peekPngText } from "../../image/png.js";
import { featuresName } from "../../runs/feature-log.js";
import { bundledFiles } from "../../runs/package.js";

/**
 * What every path of every command is for, by the option's or the argument's name. An option with a path that is in no list is
 * a fault that a test finds.
 */
export const PATHS = {
  inputs: "net gnet vae data ref features operator measurement mask kernel lpips file shards results in.pkl".split(" "),
  files: "grid save-raw out trace out.safetensors".split(" "),
  folders: ["outdir"],
} as const;

/** Files that a folder of results has besides those of the options. */
const OWN_NAMES = /^(\d{6,}\.png|run\.json|metrics\.(json|md)|overview\.png)$/;

interface Path {
  /** "--net", or "<shards>". */
  readonly name: string;
  readonly path: string;
}

/**
 * Refuses, before a command does anything, outputs that would overwrite one of its inputs or another output (also through
 * links and under other spellings), and files that are there and were not made by ncvsd-gpu, unless `--force` is given.
 * @throws NcvsdError BAD_ARGUMENT naming both
 */
export function guardPaths(command: Command): void {
  const given = pathsOf(command);
  const inputs = given.inputs.flatMap(withShards);
  const outputs = [...given.files.flatMap(withDerived), ...given.folders];
  for (const [i, output] of outputs.entries()) {
    const other = outputs.slice(0, i).find(({ path }) => same(path, output.path));
    if (other) throw bad(`${other.name} and ${output.name} are both ${output.path}: one would be lost, name another`);
    const input = inputs.find(({ path }) => same(path, output.path));
    if (input)
      throw bad(
        `${output.name} ${output.path} is what ${input.name} reads (${input.path}): it would be lost, name another`,
      );
    if (bundledFiles().some((path) => same(path, output.path)))
      throw bad(`${output.name} ${output.path} is a file of ncvsd-gpu itself: name another`);
  }
  for (const { name, path } of given.folders) {
    for (const file of [...inputs, ...given.files]) {
      if (OWN_NAMES.test(basename(file.path)) && same(dirname(resolve(file.path)), path))
        throw bad(`${file.name} ${file.path} has a name that ${name} ${path} uses for its own files: name another`);
    }
  }
  if (command.opts().force === true) return;
  for (const { name, path } of given.files) {
    // Arguments overwrite nothing, whoever made it.
    if (name.startsWith("--") && existsSync(path) && statSync(path).isFile() && !isOurs(path))
      throw bad(`${name} ${path} is there and was not made by ncvsd-gpu: name another, or overwrite it with --force`);
  }
}

/** The paths that a command was given, by what they are for; defaults count. */
function pathsOf(command: Command): { inputs: Path[]; files: Path[]; folders: Path[] } {
  const found = { inputs: [] as Path[], files: [] as Path[], folders: [] as Path[] };
  const add = (key: string, name: string, value: unknown) => {
    const paths = (Array.isArray(value) ? value : [value]).filter((path): path is string => typeof path === "string");
    for (const [kind, names] of Object.entries(PATHS) as [keyof typeof found, readonly string[]][])
      if (names.includes(key)) found[kind].push(...paths.map((path) => ({ name, path })));
  };
  for (const option of command.options)
    add(option.long?.slice(2) ?? "", option.long ?? "", command.getOptionValue(option.attributeName()));
  for (const [i, argument] of command.registeredArguments.entries())
    add(argument.name(), `<${argument.name()}>`, command.processedArgs[i]);
  return found;
}

/** An index of shards stands for all of them. */
function withShards(given: Path): Path[] {
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

/** Beside the result of an evaluation lie its features. */
const withDerived = (given: Path): Path[] =>
  given.name === "--out" && given.path.endsWith(".json")
    ? [given, { ...given, path: featuresName(given.path) }]
    : [given];

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
  return real.normalize("NFC").toLowerCase();
}

function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Whether a file is one that ncvsd-gpu made (or an empty one, which nobody loses). */
function isOurs(path: string): boolean {
  const { size } = statSync(path);
  if (size === 0) return true;
  const bytes = readFileSync(path).subarray(0, 2 ** 26);
  const start = bytes.toString("latin1", 0, 65_536);
  if (bytes[0] === 0x89) return Object.keys(peekPngText(bytes)).some((key) => key.startsWith("ncvsd-gpu:"));
  if (/^\s*\{/.test(start)) return /"tool":\s*"ncvsd-gpu"/.test(start);
  if (/^<!doctype html>/i.test(start)) return start.includes('name="generator" content="ncvsd-gpu');
  return isOurSafetensors(start);
}

/** Raw images, features and statistics are told by what they hold: no network has such tensors alone. */
function isOurSafetensors(start: string): boolean {
  try {
    const length = Buffer.from(start, "latin1").readUIntLE(0, 6);
    const { __metadata__: _, ...tensors } = JSON.parse(start.slice(8, 8 + length)) as Record<string, unknown>;
    const names = Object.keys(tensors).sort().join();
    return ["images", "cov,mean", "features,labels,predictions", "features,labels"].includes(names);
  } catch {
    return false;
  }
}
