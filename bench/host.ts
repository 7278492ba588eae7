/**
 * What an evaluation of the bundled network costs the host: `node bench/run.mjs host [--batch 16] [--runs 40]`. WebGPU cannot submit a
 * command buffer twice, so that every evaluation sets a pipeline, a bind group and a grid for each node; the rows below the first tell
 * what these calls take by themselves. Microseconds in turns, each behind an evaluation that had the caches: median (smallest).
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openGpu } from "../src/gpu/device.js";
import { median, planNetwork, replayOf, startNetwork } from "../src/measure/network.js";
import { Stopwatch } from "../src/runs/stopwatch.js";
import { table } from "../src/runs/table.js";

const { values: flags } = parseArgs({
  options: { batch: { type: "string", default: "16" }, runs: { type: "string", default: "40" } },
});
const gpu = await openGpu();
const net = fileURLToPath(new URL("../../weights/ncvsd-fashion32.safetensors", import.meta.url));

/** The calls of an evaluation. */
interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

const found: [string, string, string, string][] = [];
for (const merged of [false, true]) {
  const { rates } = gpu.caps;
  const { network } = await planNetwork(net, Number(flags.batch), { rates, bindingBytes: gpu.bindingBytes, merged });
  const program = await startNetwork(gpu, net, network, new Stopwatch());
  const calls: Call[] = [];
  const call: { pipeline?: GPUComputePipeline; group?: GPUBindGroup } = {};
  program.encode({
    setPipeline: (pipeline: GPUComputePipeline) => Object.assign(call, { pipeline }),
    setBindGroup: (_: number, group: GPUBindGroup) => Object.assign(call, { group }),
    dispatchWorkgroups: (...grid: [number, number, number]) => calls.push({ ...call, grid } as Call),
  } as unknown as GPUComputePassEncoder);
  const record = (body: (pass: GPUComputePassEncoder) => void) => {
    const start = performance.now();
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    body(pass);
    pass.end();
    encoder.finish();
    return 1000 * (performance.now() - start);
  };
  const ways: Record<string, (pass: GPUComputePassEncoder) => void> = {
    "record nothing": () => {},
    "setPipeline alone": (pass) => {
      for (const { pipeline } of calls) pass.setPipeline(pipeline);
    },
    "setPipeline, setBindGroup": (pass) => {
      for (const { pipeline, group } of calls) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
      }
    },
    "all three: the floor of recording": (pass) => {
      for (const { pipeline, group, grid } of calls) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
      }
    },
  };
  const replay = replayOf(program);
  const times = new Map<string, number[]>([["record and submit", []]]);
  for (let run = 0; run < Number(flags.runs); run++) {
    times.get("record and submit")!.push(1000 * (await replay()).host);
    for (const [name, body] of Object.entries(ways)) times.set(name, [...(times.get(name) ?? []), record(body)]);
  }
  for (const [name, us] of times) {
    const each = (median(us) / calls.length).toFixed(2);
    found.push([merged ? "merged" : "apart", name, `${median(us).toFixed(0)} (${Math.min(...us).toFixed(0)})`, each]);
  }
  found.push([merged ? "merged" : "apart", "nodes", String(calls.length), ""]);
  program.destroy();
}
console.log(`${gpu.info.name}, batch ${flags.batch}`);
for (const line of table(["encoders", "", "us", "a node"], found, { gap: 1 })) console.log(line);
gpu.close();
