/** A tile of a workgroup of the loop for GPUs, in rows and columns. An invocation holds eight rows of `laneQuads` quads. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly laneQuads: 1 | 2;
}

/** By name. */
export const TILES: Readonly<Record<string, Tile>> = {
  "64x64": { rows: 64, columns: 64, laneQuads: 2 },
  "32x64": { rows: 32, columns: 64, laneQuads: 1 },
  "64x32": { rows: 64, columns: 32, laneQuads: 1 },
  "32x32": { rows: 32, columns: 32, laneQuads: 1 },
};

/**
 * For GPUs: a tile of rows x columns per workgroup, a panel at a time through workgroup memory: lines of a place's quads, two
 * quads longer than they need be, so that neighbours of a block fall on different banks. All invocations take part in every
 * barrier. The text is made here because a workgroup's size has to be a literal. `parted`: several pieces, each summed by itself, are
 * added up.
 */
export function tiledSource({ rows, columns, laneQuads }: Tile, parted: boolean): string {
  const threads = (rows / 8) * (columns / 4 / laneQuads);
  const across = columns / 4 / laneQuads;
  const list = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join("\n");
  const bring = (name: "a" | "b", lines: number, first: string, octets: string) => `
    for (var i = 0u; i < ${(lines * 4) / threads}u; i++) {
      let at = lid + i * ${threads}u;
      let octet = ${first} + at / BLOCK;
      var v = vec4f();
      if (octet < ${octets}) {
        v = ${name}[${name}Quad(group, octet * 2u) + panel * ${name}Panel() + at % BLOCK];
      }
      ${name}Tile[at % BLOCK / 2u * ${lines / 4 + 2}u + at / BLOCK * 2u + at % 2u] = v;
    }`;
  const sums = list(laneQuads, (side) =>
    list(8, (row) => `      acc[${side * 8 + row}] += a${row >> 2}.${"xyzw"[row & 3]} * b${side};`),
  );
  return `
var<workgroup> aTile: array<vec4f, ${16 * (rows / 4 + 2)}>;
var<workgroup> bTile: array<vec4f, ${16 * (columns / 4 + 2)}>;

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let rowTiles = (p.rows + ${rows / 8 - 1}u) / ${rows / 8}u;
  let columnTiles = (p.columns + ${columns / 8 - 1}u) / ${columns / 8}u;
  let t = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (t >= rowTiles * columnTiles * p.groups * p.pieces) {
    return;
  }
  let unit = unitOf(t, rowTiles, rowTiles * columnTiles);
  let row0 = unit.near * ${rows / 8}u;
  let column0 = unit.far * ${columns / 8}u;
  let group = unit.group;
  let across = lid % ${across}u;
  let down = lid / ${across}u;
  let end = min(p.panels, (unit.piece + 1u) * p.span);
  var acc: array<vec4f, ${8 * laneQuads}>;${parted ? `\n  var all: array<vec4f, ${8 * laneQuads}>;` : ""}
  for (var panel = unit.piece * p.span; panel < MANY; panel++) {
    if (panel >= end) {
      break;
    }${bring("a", rows, "row0", "p.rows")}${bring("b", columns, "column0", "p.columns")}
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
${list(2, (i) => `      let a${i} = aTile[k * ${rows / 4 + 2}u + down * 2u + ${i}u];`)}
${list(laneQuads, (side) => `      let b${side} = bTile[k * ${columns / 4 + 2}u + across + ${side * across}u];`)}
${sums}
    }
    workgroupBarrier();${
      parted
        ? `
    if ((panel + 1u) % p.piece == 0u || panel + 1u == end) {
      for (var i = 0u; i < ${8 * laneQuads}u; i++) {
        all[i] += acc[i];
        acc[i] = vec4f();
      }
    }`
        : ""
    }
  }${parted ? "\n  acc = all;" : ""}
  if (row0 + down < p.rows) {
    let at = yRow(unit.piece, group, (row0 + down) * 8u) + column0 * 2u + across;
${list(
  laneQuads,
  (side) => `    if (column0 * 2u + across + ${side * across}u < p.columns * 2u) {
      for (var i = 0u; i < 8u; i++) {
        put(at + i * yStep() + ${side * across}u, group, acc[${side * 8}u + i]);
      }
    }`,
)}
  }
}`;
}
