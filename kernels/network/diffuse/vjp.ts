import type { Vjp } from "../../lib/vjp.js";
import type { DiffuseParams } from "./reference.js";

/** y is x plus what does not depend on it: the gradient passes as it is. No gradient reaches a level or a draw. */
export const diffuseVjp: Vjp<DiffuseParams> = ({ gradients }) => ({ x: gradients.y });
