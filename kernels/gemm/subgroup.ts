/** Rows stored per turn of the last loop: few, since every store is a hundred instructions on a software adapter. */
const STORED = 8;

/**
 * The loop for adapters whose subgroups all have one size, with the workgroup made exactly one subgroup: a lane holds
 * `rows` rows of `wide` quads, the weights of one k are loaded once by the lanes together (a vec4 each) and handed round by
 * subgroupBroadcast. No workgroup memory, no barriers. Two k per turn: the loop's own costs halve, and more would only
 * lengthen compilation. The text is made here because the lane of a broadcast has to be a constant expression: the rows
 * cannot be a loop.
 */
export function subgroupSource(lanes: number, rows: number, wide: number): string {
  const quads = rows / 4;
  const across = wide * lanes;
  const sides = Array.from({ length: wide }, (_, side) => side);
  const each = (count: number, text: (row: number) => string) =>
    Array.from({ length: count }, (_, row) => text(row)).join("\n");
  return `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let total = p.live;
  let rowGroups = (p.rows + 7u) / 8u;
  let rowTiles = (p.rows + ${rows - 1}u) / ${rows}u;
  let columnTiles = (total + ${across - 1}u) / ${across}u;
  let t = wid.y * nwg.x + wid.x;
  if (t >= rowTiles * columnTiles * p.groups) {
    return;
  }
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let group = t / (rowTiles * columnTiles);
  // Lanes past the last column repeat it and store nothing; lanes past the last row of weights repeat a valid one.
  let step = p.groups * p.quads;
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
  for (var k = 0u; k < p.packedDepth; k += 2u) {
    let w0 = weight4(w[wi]);
    let w1 = weight4(w[wi + 2u]);
    // The last k of an odd depth repeats the one before; its weights are zero.
    let next = select(0u, step, k + 1u < p.depth);
${sides.map((s) => `    let x0_${s} = vec4f(x[xi${s}]);\n    let x1_${s} = vec4f(x[xi${s} + next]);`).join("\n")}
${each(rows, (row) => {
  const [at, part] = [`${row >> 2}u`, "xyzw"[row & 3]];
  const sums = sides.map((s) => `a${row}_${s} = a${row}_${s} + u * x0_${s} + v * x1_${s};`).join(" ");
  return `    {\n      let u = subgroupBroadcast(w0.${part}, ${at});\n      let v = subgroupBroadcast(w1.${part}, ${at});\n      ${sums}\n    }`;
})}
    wi += 4u;
${sides.map((s) => `    xi${s} += 2u * step;`).join("\n")}
  }
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

/** k per turn of the narrow loop. */
const STEP = 8;

/**
 * The loop for one or two quads in all, where lanes across columns would mostly idle: a lane holds four rows (a vec4) of
 * one quad, the quads of eight k are loaded by the lanes together and handed round. Every element is summed in the same
 * order as in `subgroupSource`.
 */
export function narrowSource(lanes: number): string {
  const steps = Array.from({ length: STEP }, (_, i) => i);
  const columns = ["x", "y", "z", "w"];
  return `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rowGroups = (p.rows + 7u) / 8u;
  let rowTiles = (p.rows + ${4 * lanes - 1}u) / ${4 * lanes}u;
  let t = wid.y * nwg.x + wid.x;
  if (t >= rowTiles * p.live * p.groups) {
    return;
  }
  let rowTile = t % rowTiles;
  let column = (t / rowTiles) % p.live;
  let group = t / (rowTiles * p.live);
  let image = column / p.quads;
  let step = p.groups * p.quads;
  let place = group * p.quads + column % p.quads;
  let xi = image * p.depth * step + place;
  let rowQuad = min(rowTile * ${lanes}u + lane, rowGroups * 2u - 1u);
  let wi = (group * rowGroups + rowQuad / 2u) * p.packedDepth * 2u + rowQuad % 2u;
${columns.map((c) => `  var a${c} = vec4f();`).join("\n")}
  for (var k = 0u; k < p.depth; k += ${STEP}u) {
    // Past the last k the columns count as zero, and the weights repeat.
    let mine = k + lane;
    let v = select(vec4f(), vec4f(x[xi + min(mine, p.depth - 1u) * step]), mine < p.depth);
${steps.map((i) => `    let w${i} = weight4(w[wi + 2u * min(k + ${i}u, p.depth - 1u)]);`).join("\n")}
${steps.map((i) => columns.map((c) => `    a${c} = a${c} + w${i} * subgroupBroadcast(v.${c}, ${i}u);`).join("\n")).join("\n")}
  }
  for (var i = 0u; i < 4u; i++) {
    let row = (rowTile * ${lanes}u + lane) * 4u + i;
    if (row < p.rows) {
      put((image * p.rows + row) * step + place, vec4f(ax[i], ay[i], az[i], aw[i]), image, row);
    }
  }
}`;
}
