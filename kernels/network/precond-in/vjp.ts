import type { Vjp } from "../../lib/vjp.js";
import { precondInBackward } from "../precond-in-backward/kernel.js";
import type { PrecondInParams } from "./reference.js";

export const precondInVjp: Vjp<PrecondInParams> = ({ tape, name, params, reads, gradients }) => {
  const { x, sigma } = reads;
  return { x: tape.run(name, precondInBackward, params, { g: gradients.y, sigma }, { dx: x!.shape }).dx };
};
