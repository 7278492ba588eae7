/**
 * The loop for adapters whose subgroups all have one size, no larger than 32 lanes, with the workgroup made exactly one
 * subgroup: a lane holds `rows` rows of one quad, the weights of one k are loaded once by the lanes together (a vec4
 * each) and handed round by subgroupBroadcast. No workgroup memory, no barriers. Two k per turn: the loop's own costs
 * halve, and more would only lengthen compilation. The text is made here because the lane of a broadcast has to be a
 * constant expression: the rows cannot be a loop.
 */
export function subgroupSource(lanes: number, rows: number): string {
  const quads = rows / 4;
  const each = (text: (row: number) => string) => Array.from({ length: rows }, (_, row) => text(row)).join("\n");
  return `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let total = p.images * p.quads;
  let rowGroups = (p.rows + 7u) / 8u;
  let rowTiles = (p.rows + ${rows - 1}u) / ${rows}u;
  let columnTiles = (total + ${lanes - 1}u) / ${lanes}u;
  let t = wid.y * nwg.x + wid.x;
  if (t >= rowTiles * columnTiles * p.groups) {
    return;
  }
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let group = t / (rowTiles * columnTiles);
  // Lanes past the last column repeat it and store nothing; lanes past the last row of weights repeat a valid one.
  let wanted = columnTile * ${lanes}u + lane;
  let column = min(wanted, total - 1u);
  let image = column / p.quads;
  let product = group * p.images + image;
  var xi = product * p.depth * p.quads + column % p.quads;
  let rowQuad = min(rowTile * ${quads}u + min(lane, ${quads - 1}u), rowGroups * 2u - 1u);
  var wi = (group * rowGroups + rowQuad / 2u) * p.packedDepth * 2u + rowQuad % 2u;
${each((row) => `  var a${row} = vec4f();`)}
  for (var k = 0u; k < p.packedDepth; k += 2u) {
    let w0 = vec4f(w[wi]);
    let w1 = vec4f(w[wi + 2u]);
    let x0 = vec4f(x[xi]);
    // The last k of an odd depth repeats the one before; its weights are zero.
    let x1 = vec4f(x[select(xi, xi + p.quads, k + 1u < p.depth)]);
${each((row) => {
  const [at, part] = [`${row >> 2}u`, "xyzw"[row & 3]];
  return `    a${row} = a${row} + subgroupBroadcast(w0.${part}, ${at}) * x0 + subgroupBroadcast(w1.${part}, ${at}) * x1;`;
})}
    wi += 4u;
    xi += 2u * p.quads;
  }
  if (wanted >= total) {
    return;
  }
  let row = rowTile * ${rows}u;
  let at = (product * p.rows + row) * p.quads + column % p.quads;
${each((i) => `  if (row + ${i}u < p.rows) {\n    put(at + ${i}u * p.quads, a${i}, image, row + ${i}u);\n  }`)}
}`;
}
