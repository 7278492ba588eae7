import { kernels } from "../../kernels/index.js";
import type { AnyKernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { type CheckedKernel, checkKernel } from "./check.js";
import { median } from "./network.js";
import type { Peak } from "./peaks.js";

export interface KernelTimes extends Omit<CheckedKernel, "measure" | "release"> {
  /** Median; null where the result is wrong. */
  readonly ms: number | null;
}

/** Every kernel on its largest case: checked against its reference, then timed; the adapter's peaks in turns with them. */
export async function measureKernels(
  gpu: Gpu,
  runs: number,
  peaks: readonly Peak[],
  list: readonly AnyKernel[] = kernels,
) {
  const rows: KernelTimes[] = [];
  for (const kernel of list) {
    rows.push(await measureKernel(gpu, kernel, runs));
    for (const peak of peaks) await peak.measure();
  }
  return rows;
}

async function measureKernel(gpu: Gpu, kernel: AnyKernel, runs: number): Promise<KernelTimes> {
  const { measure, release, ...about } = await checkKernel(gpu, kernel);
  try {
    const times: number[] = [];
    for (let run = 0; about.ok && run < runs; run++) times.push(await measure());
    return { ...about, ms: about.ok ? median(times) : null };
  } finally {
    release();
  }
}
