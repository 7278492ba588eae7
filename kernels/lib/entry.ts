import type { Caps, SourcePart } from "../../src/gpu/contract.js";
import pairSum from "./pair-sum.wgsl.js";
import threads from "./threads.wgsl.js";
import workgroups from "./workgroups.wgsl.js";

/** The entry of a kernel that defines `each(i)`, which runs for i from 0 to its `p.threads`. */
export function perInvocation(workgroup: number): SourcePart {
  return { file: "kernels/lib/threads.wgsl", text: `const WORKGROUP: u32 = ${workgroup}u;\n${threads}` };
}

/**
 * The entry of a kernel that defines `each_workgroup(w, lid)`, which runs for w from 0 to its `p.workgroups`, and
 * `pair_sum(lid, own)` over a workgroup. The kernel sees SIZE.
 * @param size invocations; absent: the variant's prelude says SIZE (`summingSize`)
 */
export function summing(size?: number, type: "f32" | "vec2f" | "vec4f" = "f32"): SourcePart[] {
  const constant = size === undefined ? "" : `const SIZE: u32 = ${size}u;\n`;
  return [
    { file: "kernels/lib/pair-sum.wgsl", text: `${constant}alias Sum = ${type};\n${pairSum}` },
    { file: "kernels/lib/workgroups.wgsl", text: workgroups },
  ];
}

/** Invocations that share a sum: few for a short row, many for a whole image. On a processor a workgroup has no lanes to fill. */
export function summingSize({ software }: Caps, lanes = 64): { readonly size: number; readonly prelude: string } {
  const size = software ? 8 : lanes;
  return { size, prelude: `const SIZE: u32 = ${size}u;\n` };
}
