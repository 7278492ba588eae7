import type { Caps } from "../../src/gpu/contract.js";

/**
 * Elements of an elementwise kernel for each invocation (kernels/lib/chunk.wgsl): one on a GPU, which hides latency by
 * many invocations; on a software adapter many, since starting an invocation costs as much as several elements.
 */
export function turns({ software }: Pick<Caps, "software">): number {
  return software ? 16 : 1;
}
