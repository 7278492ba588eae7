import type { Vjp } from "../../lib/vjp.js";
import { mpCatBackward } from "../mp-cat-backward/kernel.js";
import type { MpCatParams } from "./reference.js";

/** With mp_silu the slope is that at y: the node must have written it (`raw`). */
export const mpCatVjp: Vjp<MpCatParams> = ({ tape, name, params, reads, writes, gradients }) => {
  const { y: gy, s: gs } = gradients;
  const own = { ...params, direct: gy !== undefined, silu: gs !== undefined };
  const shapes = { da: reads.a!.shape, db: reads.b!.shape };
  const { da, db } = tape.run(name, mpCatBackward, own, { y: writes.y, gy, gs }, shapes);
  return { a: da, b: db };
};
