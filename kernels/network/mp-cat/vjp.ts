import type { Vjp } from "../../lib/vjp.js";
import { mpCatBackward } from "../mp-cat-backward/kernel.js";
import { mpSumVjp } from "../mp-sum/vjp.js";
import type { MpCatParams } from "./reference.js";

/** With mp_silu the slope is that at y: the node must have written it (`raw`). */
export const mpCatVjp: Vjp<MpCatParams> = ({ tape, name, params, reads, writes, gradients, wanted }) => {
  const { y: gy, s: gs } = gradients;
  const { mix, ...plain } = params;
  const own = { ...plain, direct: gy !== undefined, silu: gs !== undefined };
  const shapes = { da: reads.a!.shape, db: reads.b!.shape };
  const { da, db } = tape.run(name, mpCatBackward, own, { y: writes.y, gy, gs }, shapes);
  if (!mix) return { a: da, b: db };
  const elements = reads.b!.length;
  const sum = { elements, perImage: elements / params.batch, type: "act" as const, t: null, ...mix, clip: null };
  const { a, b, w } = mpSumVjp({
    tape,
    name: `${name} (mix)`,
    params: sum,
    reads: { a: reads.b!, b: reads.other!, w: reads.w! },
    writes: {},
    gradients: { out: db },
    wanted,
  });
  return { a: da, b: a, other: b, w };
};
