import { fail } from "../../lib/check.js";
import type { Vjp } from "../../lib/vjp.js";
import { axpby } from "../axpby/kernel.js";
import { resample } from "./kernel.js";
import type { ResampleParams } from "./reference.js";

/** Down and up are adjoint up to a factor: d of down is up / 4, d of up is 4 down, zero outside the image. */
export const resampleVjp: Vjp<ResampleParams> = ({ tape, name, params, reads, gradients }) => {
  const { batch, channels, height, width, mode } = params;
  const up = mode === "up";
  if (!up && (height % 2 || width % 2))
    fail("resample", `halving ${height}x${width} pixels, an odd size, has no derivative`);
  const size = up ? { height: 2 * height, width: 2 * width } : { height: height / 2, width: width / 2 };
  const back = { ...params, ...size, mode: up ? ("down" as const) : ("up" as const) };
  const shape = reads.x!.shape;
  const { y } = tape.run(`${name} (${back.mode})`, resample, back, { x: gradients.y }, { y: shape });
  const elements = batch * channels * height * width;
  const scaled = { elements, perImage: elements / batch, type: "act" as const, alpha: up ? 4 : 0.25, beta: null };
  return { x: tape.run(name, axpby, scaled, { a: y }, { y: shape }).y };
};
