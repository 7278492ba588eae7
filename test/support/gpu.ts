import { afterAll, beforeAll } from "vitest";
import { type Gpu, type OpenGpuOptions, openGpu } from "../../src/gpu/device.js";
import { gpuProfile, profileCaps } from "../../src/gpu/profiles.js";

/** Part of the name of the adapter that the tests run on; empty: the default one. */
export const TEST_ADAPTER = process.env.NCVSD_TEST_ADAPTER ?? "";
/** A kind of GPU (src/gpu/profiles.ts) whose kernels and plans all tests take, whatever the adapter is; empty: its own. */
const TEST_AS = process.env.NCVSD_TEST_AS ?? "";

export async function openTestGpu(options: OpenGpuOptions = {}, as = TEST_AS): Promise<Gpu> {
  const gpu = await openGpu({ ...(TEST_ADAPTER ? { adapter: TEST_ADAPTER } : {}), ...options });
  return as ? takenFor(gpu, as) : gpu;
}

/**
 * The device, planned for as if it were a GPU of this kind: its kernels' texts, tiles, algorithms and parts of sums, with its limits
 * on workgroups. No text depends on the size of a subgroup unless an adapter is software, so all of them run on any adapter.
 */
function takenFor(gpu: Gpu, kind: string): Gpu {
  const { maxWorkgroupSize, ...caps } = profileCaps(gpuProfile(kind), gpu.precision);
  return Object.assign(gpu, {
    caps: { ...gpu.caps, ...caps, maxWorkgroupSize: Math.min(maxWorkgroupSize, gpu.caps.maxWorkgroupSize) },
  });
}

/** One device for the tests around the call: handed over before the first, closed after the last. */
export function withTestGpu(keep: (gpu: Gpu) => void, as = TEST_AS): void {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({}, as);
    keep(gpu);
  });
  afterAll(() => gpu.close());
}
