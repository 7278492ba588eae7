/**
 * What posterior samplers cost beside the evaluations that they are made of: `node bench/run.mjs posterior`. DiffPIR at 100 levels and
 * 100 evaluations of the bundled teacher, in turns: medians of wall time, and of the process's time on the processor, which
 * tells more on a software adapter when others are at work.
 */
import { fileURLToPath } from "node:url";
import { openGpu } from "../src/gpu/device.js";
import { loadModel } from "../src/networks/edm2/model.js";
import type { Operator } from "../src/operators/operator.js";
import { operators } from "../src/operators/operators.js";
import { solveInverse } from "../src/sample/solve-inverse.js";

const LEVELS = 100;
const ROUNDS = 5;
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

const gpu = await openGpu();
const teacher = await loadModel(
  gpu,
  fileURLToPath(new URL("../../weights/edm2-fashion32.safetensors", import.meta.url)),
);
const { shape } = teacher;

async function evaluations(batch: number): Promise<void> {
  const session = await teacher.openDenoiser(batch, undefined);
  for (let i = 0; i < LEVELS; i++) {
    gpu.write(session.sigma, new Float32Array(batch).fill(1 + i));
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    session.encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  }
  await gpu.idle();
  session.release();
}

async function diffpir(operator: Operator, batch: number): Promise<void> {
  const measurement = new Float32Array(batch * shape[0] * shape[1] * shape[2]).fill(0.1);
  await solveInverse(teacher, { sampler: "diffpir", operator, measurement, steps: LEVELS, zeta: 0.3 });
}

const box = operators.inpainting(gpu, { shape, box: [8, 24, 8, 24] });
const blur = operators.gaussianBlur(gpu, { shape, kernelSize: 9, std: 1.5 });
console.log(`${gpu.info.name}\n`);
console.log(
  `| ${LEVELS} levels, ${shape.join("x")} | batch | ms | processor ms | beside the evaluations: ms | processor ms |`,
);
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const batch of gpu.caps.software ? [1] : [1, 16]) {
  const work: [string, () => Promise<void>][] = [
    ["evaluations alone", () => evaluations(batch)],
    ["diffpir, box", () => diffpir(box, batch)],
    ["diffpir, gaussian blur", () => diffpir(blur, batch)],
  ];
  for (const [, action] of work) await action();
  const wall = work.map((): number[] => []);
  const busy = work.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, [, action]] of work.entries()) {
      const [start, before] = [performance.now(), process.cpuUsage()];
      await action();
      const { user, system } = process.cpuUsage(before);
      wall[i]!.push(performance.now() - start);
      busy[i]!.push((user + system) / 1000);
    }
  const [all, used] = [wall.map(median), busy.map(median)];
  work.forEach(([name], i) => {
    const row = [name, batch, all[i]!.toFixed(0), used[i]!.toFixed(0), (all[i]! / all[0]!).toFixed(3)];
    console.log(`| ${row.join(" | ")} | ${(used[i]! / used[0]!).toFixed(3)} |`);
  });
}
gpu.close();
