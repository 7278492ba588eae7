import { handRound } from "../../lib/hand-round.js";

/** Rows stored per turn of the last loop: few, since every store is a hundred instructions on a software adapter. */
const STORED = 8;

/**
 * The loop for adapters whose subgroups all have one size, with the workgroup made exactly one subgroup: a lane holds
 * `rows` rows of `wide` quads of columns; the rows' values at one place are loaded once by the lanes together (a quad each) and
 * handed round. No workgroup memory, no barriers. Two places per turn: the loop's own costs halve, and
 * more would only lengthen compilation. The text is made here because the lane of a broadcast has to be a constant
 * expression: the rows cannot be a loop. `parted`: several pieces, each summed by itself, are added up.
 */
export function subgroupSource(lanes: number, rows: number, wide: number, parted: boolean): string {
  const quads = rows / 4;
  const across = wide * lanes;
  const sides = Array.from({ length: wide }, (_, side) => side);
  const sums = Array.from({ length: rows }, (_, row) => sides.map((s) => `s${row}_${s}`)).flat();
  const lines = (text: (sum: string) => string) => sums.map(text).join("\n");
  const each = (count: number, text: (row: number) => string, between = "\n") =>
    Array.from({ length: count }, (_, row) => text(row)).join(between);
  return `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rowQuads = p.rows * 2u;
  let columnQuads = p.columns * 2u;
  let rowTiles = (rowQuads + ${quads - 1}u) / ${quads}u;
  let columnTiles = (columnQuads + ${across - 1}u) / ${across}u;
  let t = wid.y * nwg.x + wid.x;
  if (t >= rowTiles * columnTiles * p.groups * p.pieces) {
    return;
  }
  let unit = unitOf(t, rowTiles, rowTiles * columnTiles);
  let rowTile = unit.near;
  let columnTile = unit.far;
  let group = unit.group;
  // Lanes past the last column repeat it and store nothing; lanes past the last row repeat a valid one.
  let start = unit.piece * p.span;
  let end = min(p.panels, start + p.span);
  var ai = aQuad(group, min(rowTile * ${quads}u + min(lane, ${quads - 1}u), rowQuads - 1u)) + start * aPanel();
${sides
  .map(
    (s) => `  let column${s} = columnTile * ${across}u + ${s * lanes}u + lane;
  var bi${s} = bQuad(group, min(column${s}, columnQuads - 1u)) + start * bPanel();`,
  )
  .join("\n")}
${each(rows, (row) => sides.map((s) => `  var s${row}_${s} = vec4f();`).join(""))}
${
  parted
    ? `${lines((sum) => `  var all_${sum} = vec4f();`)}
  for (var first = start; first < end; first += p.piece) {
  let beyond = min(first + p.piece, end);`
    : "  let first = start;\n  let beyond = end;"
}
  for (var k = first * BLOCK; k < beyond * BLOCK; k += 4u) {
    let a0 = a[ai];
    let a1 = a[ai + 2u];
${sides.map((s) => `    let b0_${s} = b[bi${s}];\n    let b1_${s} = b[bi${s} + 2u];`).join("\n")}
${each(rows, (row) => {
  const of = (quad: string) => handRound(lanes, `${quad}.${"xyzw"[row & 3]}`, row >> 2);
  const sums = sides.map((s) => `s${row}_${s} = s${row}_${s} + u * b0_${s} + v * b1_${s};`).join(" ");
  return `    {\n      let u = ${of("a0")};\n      let v = ${of("a1")};\n      ${sums}\n    }`;
})}
    let over = k % BLOCK == BLOCK - 4u;
    ai += select(4u, aPanel() - BLOCK + 4u, over);
${sides.map((s) => `    bi${s} += select(4u, bPanel() - BLOCK + 4u, over);`).join("\n")}
  }
${parted ? `${lines((sum) => `  all_${sum} += ${sum};\n  ${sum} = vec4f();`)}\n  }\n${lines((sum) => `  ${sum} = all_${sum};`)}` : ""}
  // The rows move down ${STORED} at a time: indexing them, or ${rows} stores in a row, would take seconds to compile.
  let step = yStep();
  let last = min(p.rows * 8u, (rowTile + 1u) * ${rows}u);
  for (var row = rowTile * ${rows}u; row < last; row += ${STORED}u) {
    let at = yRow(unit.piece, group, row);
${sides
  .map(
    (s) =>
      `    if (column${s} < columnQuads) {\n${each(STORED, (i) => `      put(at + ${i}u * step + column${s}, group, s${i}_${s});`)}\n    }`,
  )
  .join("\n")}
${each(rows - STORED, (i) => sides.map((s) => `    s${i}_${s} = s${i + STORED}_${s};`).join(""))}
  }
}`;
}
