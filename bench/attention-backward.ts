/**
 * The forward kernel of attention and the three of its backward pass, in turns, on GPU time.
 * `node bench/run.mjs attention-backward [--rounds 30] [--batch 4] [--heads 4] [--head-dim 64] [--precision f32] [--adapter NAME]`
 */
import { parseArgs } from "node:util";
import { kernels } from "../kernels/index.js";
import { openGpu } from "../src/gpu/device.js";
import { checkKernel } from "../src/measure/check.js";
import { parseInteger, parsePrecision } from "../src/runs/args.js";
import { PAGE, table } from "../src/runs/table.js";
import { takeTurns } from "./turns.js";

const { values: flags } = parseArgs({
  options: {
    adapter: { type: "string" },
    precision: { type: "string", default: "f32" },
    rounds: { type: "string", default: "30" },
    batch: { type: "string", default: "4" },
    heads: { type: "string", default: "4" },
    "head-dim": { type: "string", default: "64" },
  },
});
const count = (name: "rounds" | "batch" | "heads" | "head-dim") =>
  parseInteger(flags[name], `--${name}`, { min: 1, max: 4096 });
const gpu = await openGpu({
  precision: parsePrecision(flags.precision),
  ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }),
});
const rows: string[][] = [];
for (const pixels of [64, 256]) {
  const params = { batch: count("batch"), heads: count("heads"), headDim: count("head-dim"), pixels };
  const checked = [];
  for (const kernel of kernels.filter(({ name }) => /^attention/.test(name))) {
    // Values near 0 keep norms and sums of exponentials that belong to nothing positive enough for a timing.
    checked.push(await checkKernel(gpu, { ...kernel, cases: [{ name: "timed", params, inputs: positive }] }));
  }
  const times = await takeTurns(
    checked.map(({ kernel, measure }) => ({ name: kernel, measure })),
    count("rounds"),
  );
  const forward = times.get("attention")!.median;
  for (const { kernel, variant, error, ok, flops } of checked) {
    const { median, min } = times.get(kernel)!;
    const rate = (flops / median / 1e6).toFixed(1);
    const ratio = (median / forward).toFixed(2);
    rows.push([
      `${pixels}`,
      kernel,
      variant,
      (1000 * median).toFixed(0),
      (1000 * min).toFixed(0),
      rate,
      ratio,
      ok ? error.toExponential(1) : "WRONG",
    ]);
  }
  const backward = checked.slice(1).reduce((sum, { kernel }) => sum + times.get(kernel)!.median, 0);
  rows.push([
    `${pixels}`,
    "backward in all",
    "",
    (1000 * backward).toFixed(0),
    "",
    "",
    (backward / forward).toFixed(2),
    "",
  ]);
  for (const { release } of checked) release();
}
process.stdout.write(
  `${gpu.info.name}, ${gpu.precision}\n\n${table(["pixels", "kernel", "variant", "us", "min", "GF/s", "forward", "error"], rows, PAGE).join("\n")}\n`,
);
gpu.close();

function positive(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name !== "norms" && name !== "totals") return undefined;
  return Float32Array.from({ length }, () => (name === "norms" ? 1 : 70) + 0.1 * random());
}
