import { type Caps, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, finiteNumber, multipleOf, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import plain from "./plain.wgsl.js";
import { type MatmulParams, reference } from "./reference.js";
import { plainTile, transposedTile } from "./subgroup.js";
import tiled from "./tiled.wgsl.js";

type Family = "tiled" | "subgroup" | "plain";

/** On a GPU tiles in workgroup memory; in software one subgroup per workgroup where it is certain to have 8 lanes. */
function family({ software, subgroups, subgroupMinSize, subgroupMaxSize }: Caps): Family {
  if (!software) return "tiled";
  return subgroups && subgroupMinSize === 8 && subgroupMaxSize === 8 ? "subgroup" : "plain";
}

const subgroupTile = (transposed: boolean) => (transposed ? transposedTile() : plainTile());

/** y [images, M, N] = scale * op(a) b of activations: the two products of attention. */
export const matmul: Kernel<MatmulParams> = {
  name: "matmul",
  source: [{ file: "kernels/vae/matmul/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["images", "m", "k", "n"] as const) positiveInteger("matmul", name, p[name]);
    for (const name of ["m", "k", "n"] as const) multipleOf("matmul", name, p[name], 4);
    finiteNumber("matmul", "scale", p.scale);
    addressable("matmul", "a", p.images, p.m, p.k);
    addressable("matmul", "b", p.images, p.k, p.n);
    addressable("matmul", "y", p.images, p.m, p.n);
  },
  buffers: ({ images, m, k, n }) => [
    read("a", images * m * k, "act"),
    read("b", images * k * n, "act"),
    write("y", images * m * n, "act"),
  ],
  variant({ transposed }, caps) {
    const kind = family(caps);
    const key = `${kind}${transposed ? " transposed" : ""}`;
    if (kind === "subgroup") return { key, prelude: subgroupTile(transposed).source, needs: ["subgroups"] };
    return { key, prelude: `const TRANSPOSED: bool = ${transposed};\n${kind === "tiled" ? tiled : plain}` };
  },
  uniforms: ({ images, m, k, n, scale }) => ({ images, m, k, n, scale }),
  grid({ images, m, n, transposed }, _variant, caps) {
    const kind = family(caps);
    if (kind === "plain") return grid1d((n / 4) * Math.ceil(m / 8) * images, 64, caps);
    const tile = kind === "tiled" ? { rows: 64, columns: 64 } : subgroupTile(transposed);
    return grid1d(images * Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns), 1, caps);
  },
  cost: ({ images, m, k, n }, bytesPerAct) => ({
    flops: 2 * images * m * k * n,
    bytes: bytesPerAct * images * (m * k + k * n + m * n),
  }),
  products({ images, m, k, n, transposed }, caps) {
    const kind = family(caps);
    const [rows, columns, step] =
      kind === "subgroup"
        ? [subgroupTile(transposed).rows, subgroupTile(transposed).columns, 1]
        : kind === "tiled"
          ? [64, 64, 16]
          : [8, 4, 1];
    const whole = (size: number, unit: number) => Math.ceil(size / unit) * unit;
    return { asked: images * m * k * n, made: images * whole(m, rows) * whole(k, step) * whole(n, columns) };
  },
  reference,
  cases: [false, true].flatMap((transposed) => [
    { name: `4 by 4, ${transposed}`, params: { images: 1, m: 4, k: 4, n: 4, transposed, scale: 1 } },
    { name: `rows past the last, ${transposed}`, params: { images: 3, m: 12, k: 20, n: 28, transposed, scale: -0.5 } },
    { name: `one quad of rows, ${transposed}`, params: { images: 2, m: 4, k: 36, n: 44, transposed, scale: 1 } },
    { name: `several tiles, ${transposed}`, params: { images: 2, m: 76, k: 68, n: 136, transposed, scale: 2 } },
    { name: `many columns, ${transposed}`, params: { images: 2, m: 40, k: 64, n: 260, transposed, scale: 0.125 } },
  ]),
  tolerance: { f32: 2e-6, f16: 1e-3 },
};
