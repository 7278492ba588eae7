import type { Vjp } from "../../lib/vjp.js";
import { scaleSiluBackward } from "../scale-silu-backward/kernel.js";
import type { ScaleSiluParams } from "./reference.js";

export const scaleSiluVjp: Vjp<ScaleSiluParams> = ({ tape, name, params, reads, gradients }) => {
  const { x, c } = reads;
  const { dx, dc } = tape.run(
    name,
    scaleSiluBackward,
    params,
    { x, c, g: gradients.y },
    { dx: x!.shape, dc: c!.shape },
  );
  return { x: dx, c: dc };
};
