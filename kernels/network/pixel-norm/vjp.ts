import type { Vjp } from "../../lib/vjp.js";
import { pixelNormBackward } from "../pixel-norm-backward/kernel.js";
import type { PixelNormParams } from "./reference.js";

export const pixelNormVjp: Vjp<PixelNormParams> = ({ tape, name, params, reads, gradients }) => {
  const { y: gy, s: gs } = gradients;
  const own = { ...params, direct: gy !== undefined, silu: gs !== undefined };
  const { dx } = tape.run(name, pixelNormBackward, own, { x: reads.x, gy, gs }, { dx: reads.x!.shape });
  return { x: dx };
};
