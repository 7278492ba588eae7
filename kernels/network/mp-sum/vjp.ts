import { fail } from "../../lib/check.js";
import type { Vjp } from "../../lib/vjp.js";
import { mpSumBackward } from "../mp-sum-backward/kernel.js";
import { mpSumWeightBackward } from "../mp-sum-weight-backward/kernel.js";
import { pieces } from "../mp-sum-weight-backward/reference.js";
import { total } from "../total/kernel.js";
import type { MpSumParams } from "./reference.js";

export const mpSumVjp: Vjp<MpSumParams> = ({ tape, name, params, reads, gradients, wanted }) => {
  const { elements, type, t, weightIndex, weights, clip } = params;
  const { a, b, w } = reads;
  const g = gradients.out;
  const shapes = { da: a!.shape, db: b!.shape };
  const { da, db } = tape.run(name, mpSumBackward, params, { a, b, w, g }, shapes);
  if (t !== null || !wanted("w")) return { a: da, b: db };
  if (clip !== null) fail("mp-sum", "a learned weight with a clip has no derivative");
  const sums = { elements, type, weightIndex, weights };
  const part = [pieces(elements)];
  const summed = tape.run(`${name} (weight)`, mpSumWeightBackward, sums, { a, b, w, g }, { part });
  const last = { count: pieces(elements), index: weightIndex, length: weights };
  const { y: dw } = tape.run(`${name} (weight, sum)`, total, last, { x: summed.part }, { y: w!.shape });
  return { a: da, b: db, w: dw };
};
