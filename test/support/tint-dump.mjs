// Compiles WGSL texts, a JSON list on stdin, and has Dawn print what Tint makes of each for the driver.
import { text } from "node:stream/consumers";
import { DAWN_FLAGS, loadNativeGpu } from "../../dist/src/gpu/native.js";

DAWN_FLAGS.push("enable-dawn-features=dump_shaders");
const gpu = await loadNativeGpu(process.env.NCVSD_TEST_ADAPTER ? { adapter: process.env.NCVSD_TEST_ADAPTER } : {});
const adapter = await gpu.requestAdapter();
const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = adapter.limits;
const device = await adapter.requestDevice({
  requiredLimits: { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup },
  requiredFeatures: ["subgroups"].filter((name) => adapter.features.has(name)),
});
for (const code of JSON.parse(await text(process.stdin))) {
  const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
  device.createComputePipeline({ layout: "auto", compute });
}
device.destroy();
