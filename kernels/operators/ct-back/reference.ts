import type { Inputs } from "../../../src/gpu/contract.js";
import { type CtParams, ctEntries } from "../../lib/ct.js";

export function reference(params: CtParams, { x, directions }: Inputs) {
  const { planes, height, width, angles, detectors } = params;
  const y = new Float64Array(planes * height * width);
  ctEntries(params, directions!, (row, column, angle, bin, weight) => {
    for (let j = Math.floor(bin); j <= Math.floor(bin) + 1; j++) {
      if (j < 0 || j >= detectors) continue;
      for (let plane = 0; plane < planes; plane++)
        y[(plane * height + row) * width + column]! +=
          weight * (1 - Math.abs(bin - j)) * x![(plane * angles + angle) * detectors + j]!;
    }
  });
  return { y };
}
