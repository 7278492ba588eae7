import type { Vjp } from "../../lib/vjp.js";
import { discPoolBackward } from "../disc-pool-backward/kernel.js";
import type { DiscPoolParams } from "./reference.js";

export const discPoolVjp: Vjp<DiscPoolParams> = ({ tape, name, params, reads, gradients }) => {
  const shapes = { da: reads.a!.shape, db: reads.b!.shape };
  const { da, db } = tape.run(name, discPoolBackward, params, { g: gradients.y }, shapes);
  return { a: da, b: db };
};
