import { kernels } from "../../kernels/index.js";
import { type AnyKernel, costOf, toleranceOf } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { prepareKernel, relativeError } from "../graph/run-kernel.js";
import { median } from "./network.js";
import { nodeTimes, type Peak } from "./peaks.js";

export interface KernelTimes {
  readonly kernel: string;
  readonly variant: string;
  readonly case: string;
  /** Largest ||out - ref|| / ||ref|| of its buffers against float64. */
  readonly error: number;
  readonly ok: boolean;
  /** Median; null where the result is wrong. */
  readonly ms: number | null;
  readonly flops: number;
  readonly bytes: number;
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

export interface CheckedKernel extends Omit<KernelTimes, "ms"> {
  /** Milliseconds of one run. */
  measure(): Promise<number>;
  release(): void;
}

/** A kernel made ready on its largest case and compared with its reference. */
export async function checkKernel(gpu: Gpu, kernel: AnyKernel): Promise<CheckedKernel> {
  const cost = (params: object) => costOf(kernel, params, gpu.precision);
  const work = (params: object) => cost(params).flops + cost(params).bytes;
  const test = kernel.cases.reduce((a, b) => (work(b.params) > work(a.params) ? b : a));
  const { program, inputs, outputs, poison } = await prepareKernel(gpu, kernel, test);
  try {
    await program.run();
    const reference = kernel.reference(test.params, inputs);
    let [error, ok] = [0, true];
    for (const [name, out] of Object.entries(await outputs())) {
      const found = relativeError(out, reference[name]!);
      error = Math.max(error, found);
      if (found > toleranceOf(kernel, test.params as never, name, gpu.precision)) ok = false;
    }
    return {
      kernel: kernel.name,
      variant: kernel.variant(test.params, gpu.caps).key,
      case: test.name,
      error,
      ok,
      ...cost(test.params),
      async measure() {
        // Buffers that it updates start anew, or they would grow without bounds.
        poison();
        return (await nodeTimes(program))[0]!.ms;
      },
      release: () => program.destroy(),
    };
  } catch (error) {
    program.destroy();
    throw error;
  }
}
