/** See README.md. `node bench/peers/start.mjs` installs what is missing and then runs this. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { coldStart, measureRow, openAll } from "./measure.mjs";
import { ContenderProcess, OURS, PEERS } from "./process.mjs";
import { figures, markdown } from "./report.mjs";
import { selectRows } from "./rows.mjs";

const options = {
  rows: { type: "string" },
  rounds: { type: "string", default: "5" },
  peers: { type: "string" },
  json: { type: "string" },
  "no-cold": { type: "boolean", default: false },
};

/** The peer that the cold start is compared with. */
const COLD_PEER = "onnxruntime-node";

const say = (text) => process.stderr.write(`peers: ${text}\n`);
const print = (text) => process.stdout.write(`${text}\n`);

function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  try {
    return JSON.parse(readFileSync(file, "utf8")).version;
  } catch {
    return "not installed";
  }
}

function readFlags() {
  const { values } = parseArgs({ options });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1 on, not "${values.rounds}".`);
  const wanted = values.peers?.split(",").map((part) => part.trim());
  const rows = selectRows(values.rows);
  const peers = PEERS.filter(({ name }) => !wanted || wanted.some((part) => name.includes(part))).filter(
    ({ only }) => only === undefined || rows.some(({ kind }) => kind === only),
  );
  if (peers.length === 0) throw new Error(`--peers: there are ${PEERS.map(({ name }) => name).join(", ")}.`);
  // npm runs its scripts in the package's folder: INIT_CWD is where the user stands.
  const json = values.json === undefined ? null : resolve(process.env.INIT_CWD ?? "", values.json);
  if (json && !existsSync(dirname(json))) throw new Error(`--json: there is no folder ${dirname(json)}.`);
  return { rows, rounds, peers, json, cold: !values["no-cold"] };
}

async function measureColdStarts(rows, peers) {
  const unet = rows.find(({ id }) => id === "unet");
  if (!unet) return [];
  const starts = [];
  for (const contender of [OURS, ...peers.filter(({ name }) => name === COLD_PEER)]) {
    say(`first evaluation without cached pipelines: ${contender.name}`);
    starts.push(await coldStart(contender, unet.id));
  }
  return starts;
}

/** Rows measured by all contenders that start; the others have the reason in every row. */
async function measureRows(rows, peers, rounds) {
  const ours = new ContenderProcess(OURS);
  const { tunedChoices } = await ours.ask("open");
  const { opened, failures } = await openAll(peers, say);
  const all = [ours, ...opened];
  const measured = [];
  for (const row of rows) {
    const result = await measureRow(row, all, rounds, say);
    for (const [name, failure] of failures) result.cells.set(name, { times: [], error: null, failure });
    measured.push(result);
  }
  for (const contender of all) contender.close();
  return { measured, tunedChoices };
}

async function main() {
  const { rows, rounds, peers, json, cold } = readFlags();
  const started = performance.now();
  const { measured, tunedChoices } = await measureRows(rows, peers, rounds);
  const coldStarts = cold ? await measureColdStarts(rows, peers) : [];
  const { adapters, peaks } = measured.at(-1);
  const compared = { ours: OURS.name, peers: peers.filter(({ cpu }) => !cpu).map(({ name }) => name) };
  const report = {
    date: new Date().toISOString().slice(0, 10),
    processors: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    adapters: Object.fromEntries(adapters),
    versions: Object.fromEntries(peers.filter(({ cpu }) => !cpu).map((peer) => [peer.name, version(peer.package)])),
    tunedChoices,
    rounds,
    peaks,
    rows: measured.map((row) => figures(row, peaks, compared)),
    coldStarts,
  };
  print(
    markdown(
      report,
      [OURS, ...peers].map(({ name }) => name),
    ),
  );
  say(`${((performance.now() - started) / 1000).toFixed(0)} s`);
  if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
}

main().then(
  () => process.exit(0),
  (error) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
