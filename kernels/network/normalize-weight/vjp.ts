import type { Vjp } from "../../lib/vjp.js";
import type { WeightRows } from "../../lib/weight-rows.js";
import { normalizeWeightBackward } from "../normalize-weight-backward/kernel.js";
import { total } from "../total/kernel.js";

export const normalizeWeightVjp: Vjp<WeightRows> = ({ tape, name, params, reads, gradients }) => {
  const { w, gain } = reads;
  const { rows } = params;
  const shapes = { dw: w!.shape, dgain: [rows] };
  const { dw, dgain } = tape.run(name, normalizeWeightBackward, params, { w, gain, g: gradients.y }, shapes);
  if (!params.gained) return { w: dw };
  const sum = { count: rows, index: 0, length: 1 };
  return { w: dw, gain: tape.run(`${name} (gain)`, total, sum, { x: dgain }, { y: gain!.shape }).y };
};
