import { read, write } from "../../lib/buffers.js";
import { fail, inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type EnergyHeadParams, reference } from "./reference.js";

/** g [dims][columns] to z [rows, dims], and with `energy` phi [rows] and dz [dims][columns]. */
export const energyHead = elementwise<EnergyHeadParams>({
  name: "energy-head",
  group: "energy",
  source,
  counts: ({ rows, columns, dims, bank }) => ({ rows, columns, dims, bank }),
  check({ rows, columns, dims, bank, bias }) {
    if (columns < rows) fail("energy-head", `columns must be at least rows (${rows})`, columns);
    inRange("energy-head", "bias", bias, 0, bank - dims);
  },
  threads: ({ columns }) => columns,
  buffers: ({ rows, columns, dims, bank, energy }) => [
    read("g", dims * columns),
    read("w", bank),
    write("z", rows * dims),
    write("phi", energy ? rows : 0),
    write("dz", energy ? dims * columns : 0),
  ],
  flags: ({ energy }) => ({ ENERGY: energy }),
  flops: ({ dims }, n) => 4 * dims * n,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, columns: 4, dims: 1, bank: 1, bias: 0, energy: true } },
    { name: "columns past the last row", params: { rows: 70, columns: 72, dims: 5, bank: 9, bias: 3, energy: true } },
    { name: "no energy", params: { rows: 63, columns: 64, dims: 2, bank: 4, bias: 1, energy: false } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
