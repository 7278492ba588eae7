/** The real command line in a child process: what a user types and gets. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { decodePng } from "../../src/image/png.js";
import { TEST_ADAPTER } from "./gpu.js";

/** The program that package.json's `bin` names. */
export const CLI = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
if (!existsSync(CLI)) throw new Error(`${CLI} is not there: run \`npm run build\` first (\`npm test\` does).`);

// What commands say is compared without colours, whatever the environment of the tests asks for.
delete process.env.FORCE_COLOR;

/** Commands with a GPU run on the adapter of the other tests. */
export const adapter: readonly string[] = TEST_ADAPTER ? ["--adapter", TEST_ADAPTER] : [];

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Called with the process when it has started. */
  readonly onStart?: (child: ChildProcess) => void;
}

/**
 * Lines of Dawn's own on stderr. The command line silences them where descriptor 2 is a terminal or a pipe, which
 * test/cli/sample.test.ts checks; but Node gives its children sockets, and those cannot be put aside and taken back.
 */
const DAWN_LINE = /^Warning: max\w+ artificially reduced from .*\n/gm;

/** Runs any program to its end; nothing of its is a terminal. */
export function run(program: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr: stderr.replace(DAWN_LINE, "") }));
    options.onStart?.(child);
  });
}

/** `ncvsd-gpu ...args`. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return run(process.execPath, [CLI, ...args], options);
}

/** The same, and it has to succeed. */
export async function cliOk(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const result = await cli(args, options);
  expect({ code: result.code, signal: result.signal }, `ncvsd-gpu ${args.join(" ")}\n${result.stderr}`).toEqual({
    code: 0,
    signal: null,
  });
  return result;
}

/** The same, and it has to be refused as a mistake in the command, with nothing on stdout. */
export async function cliRefused(args: readonly string[]): Promise<CliResult> {
  const result = await cli(args);
  expect(result, `ncvsd-gpu ${args.join(" ")}`).toMatchObject({ code: 2, stdout: "" });
  return result;
}

/** A folder for a test file's outputs, removed at its end; `place("x")` is a path in it that is not there yet. */
export function scratch(): (name: string) => string {
  const root = mkdtempSync(join(tmpdir(), "ncvsd-cli-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return (name) => join(root, name);
}

/** All files under a folder, relative and sorted; empty when it is not there. */
export function filesIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** A picture with its text chunks; throws where it is not whole. */
export function png(path: string) {
  return decodePng(new Uint8Array(readFileSync(path)), path);
}

/** The tensor of `--save-raw`. */
export async function rawImages(path: string): Promise<{ shape: readonly number[]; values: Float32Array }> {
  const file = await openCheckpoint(path);
  try {
    expect([...file.tensors.keys()]).toEqual(["images"]);
    const { dtype, shape } = file.tensors.get("images")!;
    expect(dtype).toBe("F32");
    return { shape, values: await file.readF32("images") };
  } finally {
    await file.close();
  }
}

/** The one sentence of a failed command: what follows "ncvsd-gpu: " on the last line of stderr. */
export function sentence({ stderr }: CliResult): string {
  const line = stderr.trimEnd().split("\n").at(-1)!;
  expect(line, stderr).toMatch(/^ncvsd-gpu: ./);
  expect(stderr, "a stack was printed").not.toMatch(/^ +at .*:\d+:\d+\)?$/m);
  return line.slice("ncvsd-gpu: ".length);
}
