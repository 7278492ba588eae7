import { type Gpu, openGpu } from "../src/gpu/device.js";
import { parsePrecision } from "../src/runs/args.js";

/** The device that a benchmark's --adapter and --precision ask for. */
export function openBenchGpu(flags: {
  readonly adapter?: string | undefined;
  readonly precision: string;
}): Promise<Gpu> {
  const precision = parsePrecision(flags.precision);
  return openGpu({ precision, ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }) });
}
