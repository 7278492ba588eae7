/**
 * The loops for software adapters whose subgroups are of exactly 8, with the workgroup made one subgroup: a lane holds
 * quads of columns, op(a) is loaded once by the lanes together and handed round by subgroupBroadcast. No barriers. The
 * texts are made here because the lane of a broadcast has to be a constant expression: what it covers cannot be a loop.
 */

export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly source: string;
}

const each = (count: number, text: (item: number) => string) =>
  Array.from({ length: count }, (_, item) => text(item)).join("\n");

const head = ({ rows, columns }: { rows: number; columns: number }) => `
@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let columns = p.n / 4u;
  let rowTiles = (p.m + ${rows - 1}u) / ${rows}u;
  let columnTiles = (p.n + ${columns - 1}u) / ${columns}u;
  let t = wid.y * nwg.x + wid.x;
  if (t >= rowTiles * columnTiles * p.images) {
    return;
  }
  let firstRow = (t % rowTiles) * ${rows}u;
  let end = min(p.m, firstRow + ${rows}u);
  let firstColumn = ((t / rowTiles) % columnTiles) * ${columns / 4}u + lane;
  let image = t / (rowTiles * columnTiles);`;

/** Rows stored per turn of the last loop: few, since every store is a hundred instructions on a software adapter. */
const STORED = 8;

/** For a [K, M]: 32 rows in registers, two k per turn; a quad of rows for each lane. */
export function transposedTile(): Tile {
  const tile = { rows: 32, columns: 32 };
  const ofRow = (quad: string, row: number) => `subgroupBroadcast(${quad}.${"xyzw"[row & 3]}, ${row >> 2}u)`;
  const source = `${head(tile)}
  // Lanes past the last column or row repeat the last one and store nothing.
  let step = p.m / 4u;
  var ai = image * p.k * step + min(firstRow / 4u + lane, step - 1u);
  var bi = image * p.k * columns + min(firstColumn, columns - 1u);
${each(tile.rows, (row) => `  var y${row} = vec4f();`)}
  for (var k = 0u; k < p.k; k += 2u) {
    let a0 = vec4f(a[ai]);
    let a1 = vec4f(a[ai + step]);
    let b0 = vec4f(b[bi]);
    let b1 = vec4f(b[bi + columns]);
    ai += 2u * step;
    bi += 2u * columns;
${each(tile.rows, (row) => `    y${row} = y${row} + ${ofRow("a0", row)} * b0 + ${ofRow("a1", row)} * b1;`)}
  }
  // The rows move down ${STORED} at a time: indexing them, or all stores in a row, would take seconds to compile.
  for (var row = firstRow; row < end; row += ${STORED}u) {
    if (firstColumn < columns) {
      let out = (image * p.m + row) * columns + firstColumn;
${each(STORED, (i) => `      if (row + ${i}u < end) {\n        y[out + ${i}u * columns] = vec4<S>(p.scale * y${i});\n      }`)}
    }
${each(tile.rows - STORED, (i) => `    y${i} = y${i + STORED};`)}
  }
}
`;
  return { ...tile, source };
}

/** k of a turn of the outer loop of `plainTile`: a quad for each lane. */
const DEPTH = 32;

/** Lines of b loaded per turn: few, since compiling a load takes the longer the more registers live around it. */
const LOADED = 2;

/**
 * For a [M, K]: 32 k of b in registers, two quads of columns a lane; one row at a time, which is one quad of k for each
 * lane. The rows' sums are in workgroup memory, every lane's its own. With the rows in registers as above, the four
 * rows of a lane would be loaded four k at a time, and so many registers alive in one loop made it four times slower.
 */
export function plainTile(): Tile {
  const tile = { rows: 64, columns: 64 };
  const sides = [0, 1];
  const both = (text: (side: number) => string) => sides.map(text).join("\n");
  const ofK = (k: number) => `subgroupBroadcast(quad.${"xyzw"[k & 3]}, ${k >> 2}u)`;
  const place = (side: number) => `16u * row + ${8 * side}u + lane`;
  const source = `
var<workgroup> sums: array<vec4f, ${tile.rows * 16}>;
${head(tile)}
  let step = p.k / 4u;
  let rows = end - firstRow;
  let start = (image * p.m + firstRow) * step;
  // Lanes past the last column repeat it and store nothing.
${both((s) => `  let column${s} = firstColumn + ${8 * s}u;\n  let b${s} = image * p.k * columns + min(column${s}, columns - 1u);`)}
  for (var first = 0u; first < step; first += ${DEPTH / 4}u) {
    // Past the last k the line repeats, and a counts as zero.
${each(DEPTH, (k) => sides.map((s) => `    var v${k}_${s} = vec4f();`).join(""))}
    for (var k = 4u * first; k < 4u * first + ${DEPTH}u; k += ${LOADED}u) {
${each(DEPTH - LOADED, (k) => sides.map((s) => `      v${k}_${s} = v${k + LOADED}_${s};`).join(""))}
${each(LOADED, (i) => both((s) => `      v${DEPTH - LOADED + i}_${s} = vec4f(b[b${s} + min(k + ${i}u, p.k - 1u) * columns]);`))}
    }
    let inside = first + lane < step;
    let at = start + min(first + lane, step - 1u);
    for (var row = 0u; row < rows; row++) {
      let quad = select(vec4f(), vec4f(a[at + row * step]), inside);
${both((s) => `      var sum${s} = vec4f();`)}
${each(
  DEPTH / 2,
  (pair) => `      {
        let u = ${ofK(2 * pair)};
        let v = ${ofK(2 * pair + 1)};
${both((s) => `        sum${s} += u * v${2 * pair}_${s} + v * v${2 * pair + 1}_${s};`)}
      }`,
)}
${both((s) => `      sums[${place(s)}] = sum${s} + select(vec4f(), sums[${place(s)}], first > 0u);`)}
    }
  }
  for (var row = 0u; row < rows; row++) {
    let out = (image * p.m + firstRow + row) * columns;
${both((s) => `    if (column${s} < columns) {\n      y[out + column${s}] = vec4<S>(p.scale * sums[${place(s)}]);\n    }`)}
  }
}
`;
  return { ...tile, source };
}
