import { fail } from "../../lib/check.js";
import type { Vjp } from "../../lib/vjp.js";
import { axpby } from "../axpby/kernel.js";
import { mpSiluBackward } from "../mp-silu-backward/kernel.js";
import { resample } from "./kernel.js";
import type { ResampleParams } from "./reference.js";

/** Down and up are adjoint up to a factor: d of down is up / 4, d of up is 4 down, zero outside the image; mp_silu's slope is that at y. */
export const resampleVjp: Vjp<ResampleParams> = ({ tape, name, params, reads, writes, gradients }) => {
  const { silu: _, ...plain } = params;
  const { batch, channels, height, width, mode } = params;
  const up = mode === "up";
  if (!up && (height % 2 || width % 2))
    fail("resample", `halving ${height}x${width} pixels, an odd size, has no derivative`);
  const size = up ? { height: 2 * height, width: 2 * width } : { height: height / 2, width: width / 2 };
  const back = { ...plain, ...size, mode: up ? ("down" as const) : ("up" as const) };
  const shape = reads.x!.shape;
  let g = gradients.y;
  if (gradients.s) {
    const y = writes.y!;
    const of = { elements: y.length, perImage: y.length / batch, type: "act" as const };
    const { dx } = tape.run(`${name} (silu)`, mpSiluBackward, of, { x: y, g: gradients.s }, { dx: y.shape });
    g = g ? tape.run(`${name} (sum)`, axpby, { ...of, alpha: 1, beta: 1 }, { a: g, b: dx }, { y: y.shape }).y : dx;
  }
  const { y } = tape.run(`${name} (${back.mode})`, resample, back, { x: g }, { y: shape });
  const elements = batch * channels * height * width;
  const scaled = { elements, perImage: elements / batch, type: "act" as const, alpha: up ? 4 : 0.25, beta: null };
  return { x: tape.run(name, axpby, scaled, { a: y }, { y: shape }).y };
};
