import { read, write } from "../../lib/buffers.js";
import { fail, inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type EnergyHeadParams, reference } from "./reference.js";

/** v [channels][columns] to z [rows, dims], and with `energy` phi [rows] and dz [dims][columns]. */
export const energyHead = elementwise<EnergyHeadParams>({
  name: "energy-head",
  group: "energy",
  source,
  counts: ({ rows, columns, dims, channels, bank }) => ({ rows, columns, dims, channels, bank }),
  check({ rows, columns, dims, channels, bank, weight, bias }) {
    if (columns < rows) fail("energy-head", `columns must be at least rows (${rows})`, columns);
    inRange("energy-head", "weight", weight, 0, bank - dims * channels);
    inRange("energy-head", "bias", bias, 0, bank - dims);
  },
  threads: ({ columns }) => columns,
  buffers: ({ rows, columns, dims, channels, bank, energy }) => [
    read("v", channels * columns),
    read("w", bank),
    write("z", rows * dims),
    write("phi", energy ? rows : 0),
    write("dz", energy ? dims * columns : 0),
  ],
  flags: ({ energy }) => ({ ENERGY: energy }),
  flops: ({ dims, channels }, n) => 2 * dims * (channels + 2) * n,
  reference,
  cases: [
    {
      name: "one channel, one coordinate",
      params: { rows: 61, columns: 64, dims: 1, channels: 1, bank: 2, weight: 1, bias: 0, energy: true },
    },
    {
      name: "columns past the last row",
      params: { rows: 70, columns: 72, dims: 5, channels: 128, bank: 650, weight: 3, bias: 645, energy: true },
    },
    {
      name: "no energy",
      params: { rows: 63, columns: 64, dims: 2, channels: 26, bank: 60, weight: 5, bias: 1, energy: false },
    },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
