/**
 * `npm run bench`: layers, networks and cold starts on this adapter, each checked before it is timed, beside the adapter's own
 * multiply-add and copy peaks. Prints a table, writes JSON and a roofline plot. Three minutes on a quiet machine of two cores.
 * `node bench/run.mjs all [--rounds 15] [--only TEXT] [--no-start] [--adapter NAME] [--json FILE] [--svg FILE]`
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { openGpu } from "../src/gpu/device.js";
import { parseInteger } from "../src/runs/args.js";
import { version } from "../src/runs/package.js";
import { LAYERS } from "./layers.js";
import { measureRows } from "./measure.js";
import { NETWORKS } from "./networks.js";
import { goalsOf, type Results, resultLines, type StartResult } from "./results.js";
import { rooflineSvg } from "./roofline.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    rounds: { type: "string", default: "15" },
    only: { type: "string", default: "" },
    "no-start": { type: "boolean", default: false },
    json: { type: "string", default: "out/bench.json" },
    svg: { type: "string", default: "out/bench-roofline.svg" },
    /** In a process of its own: times the first evaluation of one network. */
    start: { type: "string" },
  },
});
const adapter = flags.adapter === undefined ? {} : { adapter: flags.adapter };

const [UNET, BUNDLED] = NETWORKS.map(({ name }) => name) as [string, string];

/** Prints the seconds of each part as JSON. */
async function start(name: string): Promise<void> {
  const parts: Record<string, number> = {};
  let last = 0;
  const lap = (part: string) => {
    const now = performance.now();
    parts[part] = (now - last) / 1000;
    last = now;
  };
  lap("Node");
  const gpu = await openGpu(adapter);
  lap("adapter");
  await NETWORKS.find((network) => network.name === name)!.start(gpu, lap);
  gpu.close();
  process.stdout.write(JSON.stringify(parts));
}

/** Starts a process with the driver's cache of compiled shaders off, or on and filled by another one before. */
function timeStart(name: string, caches: StartResult["caches"]): StartResult {
  const args = [
    process.argv[1]!,
    "--start",
    name,
    ...(flags.adapter === undefined ? [] : ["--adapter", flags.adapter]),
  ];
  const env = caches === "cold" ? { ...process.env, MESA_SHADER_CACHE_DISABLE: "true" } : process.env;
  const run = () => spawnSync(process.execPath, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (caches === "warm") run();
  const { status, stdout } = run();
  if (status !== 0) throw new Error(`the start of "${name}" ended with exit code ${status}`);
  const parts = JSON.parse(stdout) as Record<string, number>;
  return { name, caches, parts, seconds: Object.values(parts).reduce((a, b) => a + b, 0) };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function all(): Promise<void> {
  const rounds = parseInteger(flags.rounds, "--rounds", { min: 1, max: 10_000 });
  const wanted = ({ name }: { readonly name: string }) => name.includes(flags.only);
  const starts = flags["no-start"]
    ? []
    : [timeStart(UNET, "cold"), timeStart(BUNDLED, "cold"), timeStart(BUNDLED, "warm")];
  const measured = await measureRows({
    ...adapter,
    rounds,
    layers: LAYERS.filter(wanted),
    networks: NETWORKS.filter(wanted),
  });
  const date = `${new Date().toISOString().slice(0, 16)}Z`;
  const results: Results = { version, date, ...measured, rounds, starts, goals: goalsOf({ ...measured, starts }) };
  process.stdout.write(`${resultLines(results).join("\n")}\n`);
  write(flags.json, `${JSON.stringify(results, null, 1)}\n`);
  write(flags.svg, rooflineSvg(results));
  process.stdout.write(`${flags.json}\n${flags.svg}\n`);
  if (measured.layers.every(({ runs }) => Object.values(runs).every((run) => run.ms !== null))) return;
  process.stderr.write("bench: some rows are wrong on this adapter and were not timed\n");
  process.exitCode = 1;
}

await (flags.start === undefined ? all() : start(flags.start));
