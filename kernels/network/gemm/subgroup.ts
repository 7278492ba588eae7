import { handRound } from "../../lib/hand-round.js";
import { tilePlace } from "./tile-place.js";

/** Rows stored per turn of the last loop: few, since every store is a hundred instructions on a software adapter. */
const STORED = 8;

/** The beginning of a loop with a workgroup of one subgroup that covers a tile of rows and quads. */
function entry(lanes: number, rows: number, quads: number): string {
  return `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
${tilePlace(rows, quads)}`;
}

/**
 * A loop over k, `turn` of them at a time, with what it adds to `sums`. `parted`: every part of the sum (`p.part` of k) by itself, and
 * then to the parts before it.
 */
function overDepth(depth: string, turn: number, sums: readonly string[], parted: boolean, body: string): string {
  if (!parted) return `  for (var k = 0u; k < ${depth}; k += ${turn}u) {\n${body}\n  }`;
  const lines = (text: (sum: string) => string) => sums.map(text).join("\n");
  return `${lines((sum) => `  var all_${sum} = vec4f();`)}
  for (var start = 0u; start < ${depth}; start += p.part) {
    let end = min(start + p.part, ${depth});
    for (var k = start; k < end; k += ${turn}u) {
${body}
    }
${lines((sum) => `    all_${sum} += ${sum};\n    ${sum} = vec4f();`)}
  }
${lines((sum) => `  ${sum} = all_${sum};`)}`;
}

/**
 * The loop for adapters whose subgroups all have one size, with the workgroup made exactly one subgroup: a lane holds
 * `rows` rows of `wide` quads, the weights of one k are loaded once by the lanes together (a vec4 each) and handed round.
 * No workgroup memory, no barriers. Two k per turn: the loop's own costs halve, and more would only
 * lengthen compilation. The text is made here because the lane of a broadcast has to be a constant expression: the rows
 * cannot be a loop.
 */
export function subgroupSource(lanes: number, rows: number, wide: number, parted: boolean): string {
  const quads = rows / 4;
  const across = wide * lanes;
  const sides = Array.from({ length: wide }, (_, side) => side);
  const each = (count: number, text: (row: number) => string) =>
    Array.from({ length: count }, (_, row) => text(row)).join("\n");
  const sums = Array.from({ length: rows }, (_, row) => sides.map((s) => `a${row}_${s}`)).flat();
  return `${entry(lanes, rows, across)}
  // Lanes past the last column repeat it and store nothing; lanes past the last row of weights repeat a valid one.
${sides
  .map(
    (s) => `  let wanted${s} = columnTile * ${across}u + ${s * lanes}u + lane;
  let column${s} = min(wanted${s}, total - 1u);
  let image${s} = column${s} / p.quads;
  let place${s} = group * p.quads + column${s} % p.quads;
  var xi${s} = image${s} * p.depth * step + place${s};`,
  )
  .join("\n")}
  let rowQuad = min(rowTile * ${quads}u + min(lane, ${quads - 1}u), rowGroups * 2u - 1u);
  var wi = (group * rowGroups + rowQuad / 2u) * p.packedDepth * 2u + rowQuad % 2u;
${each(rows, (row) => sides.map((s) => `  var a${row}_${s} = vec4f();`).join(""))}
${overDepth(
  "p.packedDepth",
  2,
  sums,
  parted,
  `    let w0 = weight4(w[wi]);
    let w1 = weight4(w[wi + 2u]);
    // The last k of an odd depth repeats the one before; its weights are zero.
    let next = select(0u, step, k + 1u < p.depth);
${sides.map((s) => `    let x0_${s} = quad(x[xi${s}]);\n    let x1_${s} = quad(x[xi${s} + next]);`).join("\n")}
${each(rows, (row) => {
  const of = (quad: string) => handRound(lanes, `${quad}.${"xyzw"[row & 3]}`, row >> 2);
  const added = sides.map((s) => `a${row}_${s} = a${row}_${s} + u * x0_${s} + v * x1_${s};`).join(" ");
  return `    {\n      let u = ${of("w0")};\n      let v = ${of("w1")};\n      ${added}\n    }`;
})}
    wi += 4u;
${sides.map((s) => `    xi${s} += 2u * step;`).join("\n")}`,
)}
  // The rows move down ${STORED} at a time: indexing them, or ${rows} stores in a row, would take seconds to compile.
  let end = min(p.rows, (rowTile + 1u) * ${rows}u);
  for (var row = rowTile * ${rows}u; row < end; row += ${STORED}u) {
${sides
  .map(
    (s) => `    if (wanted${s} < total) {
      let at = (image${s} * p.rows + row) * step + place${s};
${each(STORED, (i) => `      if (row + ${i}u < end) {\n        put(at + ${i}u * step, a${i}_${s}, image${s}, row + ${i}u);\n      }`)}
    }`,
  )
  .join("\n")}
${each(rows - STORED, (i) => sides.map((s) => `    a${i}_${s} = a${i + STORED}_${s};`).join(""))}
  }
}`;
}

/** k per turn of the narrow loop: more of them, loaded before they are used, would be spilled. */
const STEP = 2;

/**
 * The loop for few quads in all, where lanes across columns would mostly idle: a lane holds `rowQuads` times four rows of
 * `quads` quads; the quads of as many k as there are lanes are loaded by the lanes together and handed round. Every element
 * is summed in the same order as in `subgroupSource`.
 */
export function narrowSource(lanes: number, quads: number, rowQuads: number, parted: boolean): string {
  const rows = 4 * rowQuads * lanes;
  const each = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join("\n");
  const columns = ["x", "y", "z", "w"];
  const sums = (q: number, i: number) =>
    columns
      .map((c) => {
        const products = each(rowQuads, (r) => `        a${q}${r}${c} = a${q}${r}${c} + w${i}${r} * b;`);
        return `      {\n        let b = subgroupShuffle(v${q}.${c}, i + ${i}u);\n${products}\n      }`;
      })
      .join("\n");
  const names = Array.from({ length: quads * rowQuads }, (_, i) => `a${Math.floor(i / rowQuads)}${i % rowQuads}`);
  const all = names.flatMap((name) => columns.map((c) => name + c));
  return `${entry(lanes, rows, quads)}
  // Quads past the last repeat it and are not stored; lanes past the last row of weights repeat a valid one.
${each(
  quads,
  (q) => `  let column${q} = min(columnTile * ${quads}u + ${q}u, p.live - 1u);
  let image${q} = column${q} / p.quads;
  let place${q} = group * p.quads + column${q} % p.quads;
  let xi${q} = image${q} * p.depth * step + place${q};`,
)}
  let base = group * rowGroups * p.packedDepth * 2u;
${each(
  rowQuads,
  (r) => `  let rowQuad${r} = min((rowTile * ${lanes}u + lane) * ${rowQuads}u + ${r}u, rowGroups * 2u - 1u);
  let wi${r} = base + rowQuad${r} / 2u * p.packedDepth * 2u + rowQuad${r} % 2u;`,
)}
${all.map((sum) => `  var ${sum} = vec4f();`).join("\n")}
${overDepth(
  "p.depth",
  lanes,
  all,
  parted,
  `    // Past the last k the columns count as zero, and the weights repeat.
    let mine = k + lane;
    let line = min(mine, p.depth - 1u) * step;
${each(quads, (q) => `    let v${q} = select(vec4f(), quad(x[xi${q} + line]), mine < p.depth);`)}
    for (var i = 0u; i < ${lanes}u; i += ${STEP}u) {
${each(STEP, (i) => `      let at${i} = 2u * min(k + i + ${i}u, p.depth - 1u);`)}
${each(STEP, (i) => each(rowQuads, (r) => `      let w${i}${r} = weight4(w[wi${r} + at${i}]);`))}
${each(STEP, (i) => each(quads, (q) => sums(q, i)))}
    }`,
)}
  let first = (rowTile * ${lanes}u + lane) * ${4 * rowQuads}u;
  for (var i = 0u; i < 4u; i++) {
${each(quads, (q) =>
  each(rowQuads, (r) => {
    const name = `a${q}${r}`;
    return `    if (columnTile * ${quads}u + ${q}u < p.live && first + ${4 * r}u + i < p.rows) {
      let row = first + ${4 * r}u + i;
      let at = (image${q} * p.rows + row) * step + place${q};
      put(at, vec4f(${columns.map((c) => `${name}${c}[i]`).join(", ")}), image${q}, row);
    }`;
  }),
)}
  }
}`;
}
