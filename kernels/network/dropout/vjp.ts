import type { Vjp } from "../../lib/vjp.js";
import { dropout } from "./kernel.js";
import type { DropoutParams } from "./reference.js";

/** The same mask, drawn again: nothing is kept from the forward pass. */
export const dropoutVjp: Vjp<DropoutParams> = ({ tape, name, params, reads, gradients }) => ({
  x: tape.run(name, dropout, params, { x: gradients.y, keys: reads.keys }, { y: reads.x!.shape }).y,
});
