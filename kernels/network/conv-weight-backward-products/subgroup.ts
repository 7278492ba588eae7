import { handRound } from "../../lib/hand-round.js";

/** Rows stored per turn of the last loop: few, since every store is a hundred instructions on a software adapter. */
const STORED = 8;

/**
 * The loop for adapters whose subgroups all have one size, with the workgroup made exactly one subgroup: a lane holds
 * `rows` rows of `wide` quads of columns; the rows' values at one place are loaded once by the lanes together (a quad each) and
 * handed round. No workgroup memory, no barriers. Two places per turn: the loop's own costs halve, and
 * more would only lengthen compilation. The text is made here because the lane of a broadcast has to be a constant
 * expression: the rows cannot be a loop.
 */
export function subgroupSource(lanes: number, rows: number, wide: number): string {
  const quads = rows / 4;
  const across = wide * lanes;
  const sides = Array.from({ length: wide }, (_, side) => side);
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
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let group = (t / (rowTiles * columnTiles)) % p.groups;
  let piece = t / (rowTiles * columnTiles * p.groups);
  // Lanes past the last column repeat it and store nothing; lanes past the last row repeat a valid one.
  let start = piece * p.piece;
  let end = min(p.panels, start + p.piece);
  var ai = aQuad(group, min(rowTile * ${quads}u + min(lane, ${quads - 1}u), rowQuads - 1u)) + start * aPanel();
${sides
  .map(
    (s) => `  let column${s} = columnTile * ${across}u + ${s * lanes}u + lane;
  var bi${s} = bQuad(group, min(column${s}, columnQuads - 1u)) + start * bPanel();`,
  )
  .join("\n")}
${each(rows, (row) => sides.map((s) => `  var s${row}_${s} = vec4f();`).join(""))}
  for (var k = start * BLOCK; k < end * BLOCK; k += 4u) {
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
  // The rows move down ${STORED} at a time: indexing them, or ${rows} stores in a row, would take seconds to compile.
  let step = yStep();
  let last = min(p.rows * 8u, (rowTile + 1u) * ${rows}u);
  for (var row = rowTile * ${rows}u; row < last; row += ${STORED}u) {
    let at = yRow(piece, group, row);
${sides
  .map(
    (s) =>
      `    if (column${s} < columnQuads) {\n${each(STORED, (i) => `      y[at + ${i}u * step + column${s}] = s${i}_${s};`)}\n    }`,
  )
  .join("\n")}
${each(rows - STORED, (i) => sides.map((s) => `    s${i}_${s} = s${i + STORED}_${s};`).join(""))}
  }
}`;
}
