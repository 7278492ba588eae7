import type { Vjp } from "../../lib/vjp.js";
import { mpSiluBackward } from "../mp-silu-backward/kernel.js";
import type { MpSiluParams } from "./reference.js";

export const mpSiluVjp: Vjp<MpSiluParams> = ({ tape, name, params, reads, gradients }) => {
  const { dx } = tape.run(name, mpSiluBackward, params, { x: reads.x, g: gradients.y }, { dx: reads.x!.shape });
  return { x: dx };
};
