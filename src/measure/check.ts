import { type AnyKernel, costOf, toleranceOf } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { prepareKernel, relativeError } from "../graph/run-kernel.js";
import { nodeTimes } from "./peaks.js";

/** A kernel that was compared with its reference, ready to be timed. */
export interface CheckedKernel {
  readonly kernel: string;
  readonly variant: string;
  readonly case: string;
  /** Largest ||out - ref|| / ||ref|| of its buffers against float64. */
  readonly error: number;
  readonly ok: boolean;
  readonly flops: number;
  readonly bytes: number;
  /** Milliseconds of one run. */
  measure(): Promise<number>;
  release(): void;
}

/**
 * A kernel made ready on its largest case and compared with its float64 reference on this adapter.
 * @param kernel with its reference and cases, as the list in kernels/index.js has it
 * @param upTo floating point operations: larger cases are left aside while there are smaller ones; default: none are
 * @throws NcvsdError OUT_OF_MEMORY, DEVICE_LOST
 */
export async function checkKernel(
  gpu: Gpu,
  kernel: AnyKernel,
  { upTo = Number.POSITIVE_INFINITY }: { readonly upTo?: number } = {},
): Promise<CheckedKernel> {
  const cost = (params: object) => costOf(kernel, params, gpu.precision);
  const work = (params: object) => cost(params).flops + cost(params).bytes;
  const sorted = [...kernel.cases].sort((a, b) => work(b.params) - work(a.params));
  const test = sorted.find(({ params }) => cost(params).flops <= upTo) ?? sorted.at(-1)!;
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
