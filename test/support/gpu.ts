import { afterAll, beforeAll } from "vitest";
import { type Gpu, type OpenGpuOptions, openGpu } from "../../src/gpu/device.js";

/** Part of the name of the adapter that the tests run on; empty: the default one. */
export const TEST_ADAPTER = process.env.NCVSD_TEST_ADAPTER ?? "";

export function openTestGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  return openGpu({ ...(TEST_ADAPTER ? { adapter: TEST_ADAPTER } : {}), ...options });
}

/** One device for the tests around the call: handed over before the first, closed after the last. */
export function withTestGpu(keep: (gpu: Gpu) => void): void {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
    keep(gpu);
  });
  afterAll(() => gpu.close());
}
