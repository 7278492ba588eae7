import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { pack4, packedLength } from "../../lib/packed-weight.js";
import { winograd } from "../../lib/winograd.js";
import source from "./kernel.wgsl.js";
import { packedSize, reference, sides, type WinogradWeightParams } from "./reference.js";

const name = "winograd-weight";

/** Quads of one point's matrix. */
function matrix(params: WinogradWeightParams): number {
  const { rows, depth } = sides(params);
  return packedLength(rows, depth) / 4;
}

/** w [outChannels, inChannels, 3, 3] f32 times scale [outChannels] to the transformed, packed weight of a Winograd convolution, transposed or not. */
export const winogradWeight = elementwise<WinogradWeightParams>({
  name,
  group: "network",
  source,
  counts: ({ outChannels, inChannels }) => ({ outChannels, inChannels }),
  check: ({ tile }) => oneOf(name, "tile", tile, [2, 4]),
  threads: matrix,
  buffers: (params) => [
    { name: "w", access: "read", type: "f32", length: params.outChannels * params.inChannels * 9 },
    { name: "scale", access: "read", type: "f32", length: params.outChannels },
    { name: "y", access: "write", type: "weight", length: packedSize(params) },
  ],
  prelude({ tile }, caps) {
    const { input, G } = winograd(tile);
    const rows = G.map((row) => `vec3f(${row.map((v) => (Number.isInteger(v) ? `${v}.0` : `${v}`)).join(", ")})`);
    return `const INPUT: u32 = ${input}u;\nconst G = array<vec3f, ${input}>(${rows.join(", ")});\n${pack4(caps)}`;
  },
  uniforms: (params) => ({
    out_channels: params.outChannels,
    in_channels: params.inChannels,
    depth: sides(params).depth,
    matrix: matrix(params),
    side: 3,
  }),
  flags: ({ transposed, tile }) => ({ TRANSPOSED: transposed, SMALL: tile === 2 }),
  flops: (params) => 4 * matrix(params) * (15 * winograd(params.tile).input + 5 * winograd(params.tile).points),
  reference,
  cases: ([2, 4] as const).flatMap((tile) =>
    [false, true].flatMap((transposed) => [
      {
        name: `F${tile}, one filter${transposed ? ", transposed" : ""}`,
        params: { outChannels: 1, inChannels: 1, transposed, tile },
      },
      {
        name: `F${tile}, odd${transposed ? ", transposed" : ""}`,
        params: { outChannels: 11, inChannels: 5, transposed, tile },
      },
      {
        name: `F${tile}, a layer${transposed ? ", transposed" : ""}`,
        params: { outChannels: 64, inChannels: 48, transposed, tile },
      },
    ]),
  ),
  tolerance: { f32: 1e-6, f16: 1e-3 },
});
