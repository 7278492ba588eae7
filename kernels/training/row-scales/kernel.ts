import { role, STATE_CONSTANTS, STATE_HEAD, stateLength } from "../../lib/bank-rows.js";
import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type RowScalesParams, reference } from "./reference.js";

/** Of all rows of a network's weights what makes them the effective ones. */
export const rowScales = elementwise<RowScalesParams>({
  name: "row-scales",
  group: "training",
  source,
  counts: ({ rows, places }) => ({ rows, places }),
  threads: ({ rows }) => rows,
  prelude: () => STATE_CONSTANTS,
  buffers: ({ rows, places }) => [
    read("table", 4 * rows, "u32"),
    read("roles", 2 * rows, "u32"),
    read("state", stateLength(rows)),
    update("scales", places),
  ],
  flops: (_, rows) => 4 * rows,
  reference,
  cases: [
    { name: "one row", params: { rows: 1, places: 1 }, inputs: scaled(() => 1.7) },
    {
      name: "rows of zeros, small and large ones, gains",
      params: { rows: 67, places: 128 },
      inputs: scaled((i) => [0, 1e-4, 3e4, 1][i % 4]!),
    },
    { name: "a network's", params: { rows: 20_000, places: 20_032 }, inputs: scaled((i) => 0.5 + (i % 10) / 10) },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** Every fifth row is a gain, that of the row before it; places run backwards. */
function scaled(rms: (i: number) => number) {
  const gain = (row: number) => row % 5 === 4;
  return (name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (name === "table") {
      const rows = Array.from({ length: length / 4 }, (_, row) => [0, 0, length / 4 - 1 - row, Number(!gain(row))]);
      return Uint32Array.from(rows.flat());
    }
    if (name === "roles") {
      const roles = new Uint32Array(length);
      for (let row = 0; row < length / 2; row++)
        roles.set(role(0.3 + (row % 7), gain(row + 1) && row + 1 < length / 2 ? row + 1 : undefined), 2 * row);
      return roles;
    }
    if (name !== "state") return undefined;
    return Float32Array.from({ length }, (_, i) =>
      i % 4 === 0 && i >= 4 * STATE_HEAD ? rms(i / 4 - STATE_HEAD) : random(),
    );
  };
}
