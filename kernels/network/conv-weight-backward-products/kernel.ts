import { type Caps, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { OCTET, PANEL } from "../../lib/channel-operand.js";
import { checkChannels } from "../../lib/channel-range.js";
import { addressable, inRange, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type Loop, loopChoices, loopOf } from "./loops.js";
import { type ConvWeightBackwardProductsParams, piecesOf, reference } from "./reference.js";
import { storing } from "./store.js";

const BLOCK = PANEL * OCTET;

/** A name of the shape without panels and pieces, which follow from the batch. */
const tuneKey = ({ groups, shared, rows, columns }: ConvWeightBackwardProductsParams) =>
  `conv-weight-backward-products ${groups}x[${rows * OCTET}x${columns * OCTET}]${shared ? " shared" : ""}`;

/** The tuned choice where it is one of those that fit; else the cost model's. */
function loop(p: ConvWeightBackwardProductsParams, caps: Caps): Loop {
  const choices = loopChoices(p, caps);
  const tuned = caps.tuning?.get(tuneKey(p));
  const parted = p.summed === true && p.panels > p.piece;
  return loopOf(tuned !== undefined && choices.includes(tuned) ? tuned : choices[0]!, parted, caps);
}

/** y[:, piece, group] = a^T b, channels by channels, over the places of the piece: the products of a weight gradient. */
export const convWeightBackwardProducts: Kernel<ConvWeightBackwardProductsParams> = {
  name: "conv-weight-backward-products",
  source: [{ file: "kernels/network/conv-weight-backward-products/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["groups", "panels", "rows", "columns", "piece"] as const)
      positiveInteger("conv-weight-backward-products", name, p[name]);
    if (p.done)
      inRange("conv-weight-backward-products", "pieces of a gradient that is done", p.into?.of ?? piecesOf(p), 1, 1);
    checkChannels("conv-weight-backward-products", p.rows, p.from);
    checkChannels("conv-weight-backward-products", piecesOf(p), p.into);
    addressable("conv-weight-backward-products", "a", p.panels, p.from?.of ?? p.rows, p.shared ? 1 : p.groups, BLOCK);
    addressable("conv-weight-backward-products", "b", p.panels, p.columns, p.groups, BLOCK);
    addressable(
      "conv-weight-backward-products",
      "y",
      p.into?.of ?? piecesOf(p),
      p.groups,
      p.rows * OCTET,
      p.columns * OCTET,
    );
  },
  buffers(p) {
    const { groups, panels, rows, columns } = p;
    const a = panels * (p.from?.of ?? rows) * (p.shared ? 1 : groups) * BLOCK;
    const y = (p.into?.of ?? piecesOf(p)) * groups * rows * columns * OCTET ** 2;
    return [read("a", a), read("b", panels * columns * groups * BLOCK), write("y", y)];
  },
  variant(p, caps) {
    const { key, text, subgroups } = loop(p, caps);
    const prelude = storing(p.done === true) + text;
    return { key: p.done ? `${key} done` : key, prelude, ...(subgroups ? { needs: ["subgroups"] as const } : {}) };
  },
  tuneKey,
  choices: loopChoices,
  uniforms(p) {
    const { groups, panels, rows, columns, piece } = p;
    return {
      groups,
      aGroups: p.shared ? 1 : groups,
      panels,
      rows,
      firstRow: p.from?.first ?? 0,
      ofRows: p.from?.of ?? rows,
      columns,
      piece,
      span: p.summed ? panels : piece,
      pieces: piecesOf(p),
      firstPiece: p.into?.first ?? 0,
      ofPieces: p.into?.of ?? piecesOf(p),
    };
  },
  grid(p, _variant, caps) {
    const { rows, columns, units } = loop(p, caps);
    const tiles = Math.ceil((p.rows * OCTET) / rows) * Math.ceil((p.columns * OCTET) / columns);
    return grid1d(tiles * p.groups * piecesOf(p), units, caps);
  },
  cost(p) {
    const { groups, panels, rows, columns } = p;
    const blocks = panels * (rows * (p.shared ? 1 : groups) + columns * groups);
    const products = groups * rows * columns * OCTET ** 2;
    return { flops: 2 * panels * PANEL * products, bytes: 4 * (blocks * BLOCK + piecesOf(p) * products) };
  },
  reference,
  cases: (() => {
    const base = { groups: 3, shared: false, panels: 5, rows: 2, columns: 3, piece: 5 };
    return [
      { name: "an octet each", params: { ...base, groups: 1, panels: 1, rows: 1, columns: 1, piece: 1 } },
      { name: "three groups", params: base },
      { name: "pieces, the last one shorter", params: { ...base, piece: 2 } },
      { name: "a shared by groups", params: { ...base, shared: true, piece: 3 } },
      { name: "one octet of many rows", params: { ...base, rows: 11, columns: 1 } },
      { name: "one octet of rows", params: { ...base, rows: 1, columns: 11 } },
      {
        name: "several tiles, some rows, some pieces",
        params: { ...base, rows: 10, columns: 9, piece: 3, from: { first: 1, of: 12 }, into: { first: 1, of: 4 } },
      },
      { name: "pieces added up, the last one shorter", params: { ...base, piece: 2, summed: true } },
      {
        name: "pieces added up, several tiles, some rows",
        params: {
          ...base,
          rows: 10,
          columns: 9,
          piece: 3,
          summed: true,
          from: { first: 1, of: 12 },
          into: { first: 1, of: 2 },
        },
      },
      { name: "taps of a gradient", params: { ...base, shared: true, rows: 5, columns: 9, done: true } },
      { name: "taps of a gradient, pieces added up", params: { ...base, piece: 2, summed: true, done: true } },
      { name: "a layer", params: { ...base, groups: 36, panels: 8, rows: 8, columns: 8, piece: 8 } },
    ];
  })(),
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
