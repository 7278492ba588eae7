/**
 * Full-size networks on this machine: random weights of a preset from a fixed seed in a temporary file (F16, never kept), then
 * load time, time of an evaluation and peak memory. `node bench/run.mjs large --preset ncvsd-img512-xs --precision f32`
 *
 * Host memory is the process's resident set less what the engine holds on the device, since a software adapter's buffers lie
 * in the same process.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { narrowF16 } from "../src/checkpoint/index.js";
import { type Gpu, mib } from "../src/gpu/device.js";
import { loadModel, type Model } from "../src/networks/edm2/model.js";
import { expectedTensors } from "../src/networks/edm2/names.js";
import { networkPreset, type Preset, parameterCount } from "../src/networks/edm2/presets.js";
import { openBenchGpu } from "./open.js";
import { randomTensor, uniformSource } from "./random-network.js";

const { values: flags } = parseArgs({
  options: {
    preset: { type: "string", default: "ncvsd-img512-xs" },
    precision: { type: "string", default: "f32" },
    evaluations: { type: "string", default: "3" },
    adapter: { type: "string" },
    /** Only writes the checkpoint: the process that measures shall not have made the weights. */
    write: { type: "string" },
  },
});

/** Writes the checkpoint tensor by tensor. */
function writeRandomCheckpoint(path: string, { architecture, config }: Preset): void {
  const tensors = [...expectedTensors(architecture, config)];
  const header: Record<string, unknown> = {
    __metadata__: { format: "pt", architecture, config: JSON.stringify(config) },
  };
  let end = 0;
  for (const [tensor, shape] of tensors) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    header[tensor] = { dtype: "F16", shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = openSync(path, "w");
  try {
    writeSync(file, length);
    writeSync(file, padded);
    for (const [tensor, shape] of tensors) {
      const values = randomTensor(tensor, shape);
      writeSync(file, new Uint8Array(narrowF16(values).buffer));
    }
  } finally {
    closeSync(file);
  }
}

/** Peak of the process's memory less the device's, sampled by a timer and at every call. */
function watchMemory(gpu: Gpu) {
  let host = 0;
  let device = 0;
  let total = 0;
  const sample = () => {
    const { rss } = process.memoryUsage();
    host = Math.max(host, rss - (gpu.info.software ? gpu.allocatedBytes : 0));
    device = Math.max(device, gpu.allocatedBytes);
    total = Math.max(total, rss);
  };
  const timer = setInterval(sample, 5);
  return {
    sample,
    stop() {
      clearInterval(timer);
      sample();
      return { host, device, total };
    },
  };
}

async function evaluate(model: Model): Promise<number> {
  const length = model.shape.reduce((a, b) => a * b, 1);
  const random = uniformSource(7);
  const x = Float32Array.from({ length }, () => 80 * random());
  const labels = [model.labelDim > 0 ? 3 : -1];
  const started = performance.now();
  const out =
    model.architecture === "ncvsd"
      ? await model.generate({ y: x, sigma: 80, labels, seeds: [1] })
      : await model.denoise({ x, sigma: 80, labels });
  const ms = performance.now() - started;
  if (out.every((v) => v === out[0])) throw new Error("the network gave a constant: the weights do nothing");
  return ms;
}

const preset = networkPreset(flags.preset);
if (flags.write !== undefined) {
  writeRandomCheckpoint(flags.write, preset);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "ncvsd-large-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, `${preset.name}.safetensors`);
const writer = [process.argv[1]!, "--preset", preset.name, "--write", path];
if (spawnSync(process.execPath, writer, { stdio: "inherit" }).status !== 0) throw new Error(`${path} was not written`);

const gpu = await openBenchGpu(flags);
const before = process.memoryUsage().rss;
const loading = watchMemory(gpu);
const started = performance.now();
const model = await loadModel(gpu, path, { onProgress: loading.sample });
const loadSeconds = (performance.now() - started) / 1000;
const loaded = loading.stop();
const largest = Math.max(
  ...[...expectedTensors(preset.architecture, preset.config).values()].map(
    (shape) => 4 * shape.reduce((a, b) => a * b, 1),
  ),
);
const running = watchMemory(gpu);
const times: number[] = [];
for (let i = 0; i <= Number(flags.evaluations); i++) times.push(await evaluate(model));
const peak = running.stop();
const [first, ...rest] = times as [number, ...number[]];
const median = rest.sort((a, b) => a - b)[Math.floor(rest.length / 2)] ?? first;
const report = [
  `${preset.name} on ${gpu.info.name}, ${gpu.precision} (file: F16, ${mib(statSync(path).size)})`,
  `  parameters          ${(parameterCount(preset.architecture, preset.config) / 1e6).toFixed(1)} M; largest tensor ${mib(largest)} as f32`,
  `  load                ${loadSeconds.toFixed(1)} s`,
  `  host while loading  ${mib(loaded.host)} (${mib(before)} before: +${mib(loaded.host - before)}); whole process ${mib(loaded.total)}`,
  `  device              ${mib(loaded.device)} of weights, ${mib(peak.device)} at the peak`,
  `  evaluation          ${median.toFixed(0)} ms (median of ${rest.length}), the first ${first.toFixed(0)} ms`,
  `  host while running  ${mib(peak.host)}; whole process ${mib(peak.total)}`,
];
process.stdout.write(`${report.join("\n")}\n`);
await model.close();
gpu.close();
