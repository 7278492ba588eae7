import type { Kernel } from "../../src/gpu/contract.js";
import { type Elementwise, elementwise } from "./elementwise.js";
import { checkNormAct, type NormActShape, normActFlags, normActUniforms } from "./norm-act.js";
import text from "./norm-act-derivative.wgsl.js";

type Own = "name" | "source" | "buffers" | "flops" | "reference" | "cases" | "tolerance";

/** A derivative of kernels/energy/norm-act: one invocation for four columns, parameters as there. */
export function normActDerivative(own: Pick<Elementwise<NormActShape>, Own>): Kernel<NormActShape> {
  return elementwise<NormActShape>({
    ...own,
    group: "energy",
    parts: [{ file: "kernels/lib/norm-act-derivative.wgsl", text }],
    workgroup: 32,
    counts: ({ channels, columns }) => ({ channels, columns }),
    check: (params) => checkNormAct(own.name, params),
    threads: ({ columns }) => columns / 4,
    uniforms: normActUniforms,
    flags: normActFlags,
  });
}
