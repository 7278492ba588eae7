import { spawn, spawnSync } from "node:child_process";

/** Called with short lines about what set-up is doing. */
export type Log = (line: string) => void;

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Kill after so many milliseconds; never used for a package manager that is changing the system. */
  readonly timeout?: number;
}

// A shell opened with `su` lacks the sbin folders, and dpkg refuses to work without the programs in there.
const SBIN = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Runs a program without a terminal or stdin and collects what it says, in English. Never rejects. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const base = options.env ?? process.env;
  const env: NodeJS.ProcessEnv = { ...base, LC_ALL: "C.UTF-8" };
  if (process.platform === "linux") env.PATH = [base.PATH, ...SBIN].filter(Boolean).join(":");
  return new Promise((resolve) => {
    const { cwd, timeout } = options;
    const child = spawn(program, args, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      killSignal: "SIGKILL",
      ...(cwd && { cwd }),
      ...(timeout && { timeout }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("error", (error) => resolve({ code: null, stdout, stderr: `${stderr}${error.message}\n` }));
    child.on("close", (code, signal) =>
      resolve({ code, stdout, stderr: signal ? `${stderr}killed by ${signal}\n` : stderr }),
    );
  });
}

/** As `run`, and throws an Error that carries the program's own complaint when it fails; `title` names it there. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: CommandOptions & { readonly title?: string } = {},
): Promise<string> {
  const result = await run(program, args, options);
  if (result.code === 0) return result.stdout;
  throw new Error(`${options.title ?? program} failed: ${complaint(result)}`);
}

/** The lines in which a program says what went wrong: apt's `E:` lines, npm's and Node's errors, else its last words. */
export function complaint({ code, stdout, stderr }: CommandResult): string {
  const lines = `${stdout}\n${stderr}`
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const errors = lines.filter((line) => /^(E:|npm (error|ERR!)|dpkg: error|\w*Error:)/.test(line));
  const told = errors.length > 0 ? errors.slice(0, 3) : lines.slice(-2);
  return told.length > 0 ? told.join("; ") : `exit code ${code}`;
}

/** True when the program can be started at all. */
export function available(program: string, args: readonly string[] = ["--version"]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}
