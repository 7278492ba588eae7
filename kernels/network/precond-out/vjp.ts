import type { Vjp } from "../../lib/vjp.js";
import { precondOutBackward } from "../precond-out-backward/kernel.js";
import type { PrecondOutParams } from "./reference.js";

export const precondOutVjp: Vjp<PrecondOutParams> = ({ tape, name, params, reads, gradients, wanted }) => {
  const { x, f, sigma } = reads;
  const own = { ...params, input: wanted("x") };
  const shapes = { df: f!.shape, dx: x!.shape };
  const { df, dx } = tape.run(name, precondOutBackward, own, { g: gradients.d, sigma }, shapes);
  return { f: df, x: own.input ? dx : undefined };
};
