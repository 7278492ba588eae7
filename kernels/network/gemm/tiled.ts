import { tilePlace } from "./tile-place.js";

/** A tile of a workgroup of the loop for GPUs. All sizes are powers of two. */
export interface Tile {
  readonly rows: number;
  /** Columns, a multiple of 4. */
  readonly columns: number;
  /** What one invocation holds: rows, a multiple of 8, and quads of columns. */
  readonly laneRows: number;
  readonly laneQuads: number;
  /** k brought into workgroup memory at a time. */
  readonly step: number;
}

/** By name; the workgroup memory of each is at most WebGPU's 16 KiB, its invocations at most 256. */
export const TILES: Readonly<Record<string, Tile>> = {
  "64x64": { rows: 64, columns: 64, laneRows: 8, laneQuads: 2, step: 16 },
  "32x64": { rows: 32, columns: 64, laneRows: 8, laneQuads: 1, step: 16 },
  "32x32": { rows: 32, columns: 32, laneRows: 8, laneQuads: 1, step: 16 },
  // For small images with many channels, whose columns do not fill a wider tile.
  "64x16": { rows: 64, columns: 16, laneRows: 8, laneQuads: 1, step: 16 },
  "128x64": { rows: 128, columns: 64, laneRows: 16, laneQuads: 2, step: 16 },
  "128x128": { rows: 128, columns: 128, laneRows: 8, laneQuads: 2, step: 8 },
};

export function tileThreads({ rows, columns, laneRows, laneQuads }: Tile): number {
  return (rows / laneRows) * (columns / 4 / laneQuads);
}

/**
 * For GPUs: a tile of rows x columns per workgroup, `step` k at a time through workgroup memory; an invocation holds
 * `laneRows` rows of `laneQuads` quads. All invocations take part in every barrier. The text is made here because a
 * workgroup's size has to be a literal.
 */
export function tiledSource(tile: Tile): string {
  const { rows, laneRows, laneQuads, step } = tile;
  const threads = tileThreads(tile);
  const quads = tile.columns / 4;
  const wQuads = rows / 4;
  const laneLines = laneRows / 4;
  const across = quads / laneQuads;
  const list = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join("\n");
  const sums = list(laneQuads, (side) =>
    list(laneRows, (row) => {
      const i = side * laneRows + row;
      return `      acc[${i}] += a${row >> 2}.${"xyzw"[row & 3]} * b${side};`;
    }),
  );
  return `
var<workgroup> wTile: array<vec4f, ${step * wQuads}>;
var<workgroup> xTile: array<vec4f, ${step * quads}>;

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
${tilePlace(rows, quads)}

  // Loading: this invocation brings always the same quad of columns and of weights, of every so many lines.
  let loadColumn = columnTile * ${quads}u + lid % ${quads}u;
  let xInside = loadColumn < total;
  let xBase = select(0u, loadColumn / p.quads * p.depth * step + group * p.quads + loadColumn % p.quads, xInside);
  let wQuad = rowTile * ${wQuads}u + lid % ${wQuads}u;
  let wInside = wQuad < rowGroups * 2u;
  let wBase = select(0u, (group * rowGroups + wQuad / 2u) * p.packedDepth * 2u + wQuad % 2u, wInside);

  let across = lid % ${across}u;
  let down = lid / ${across}u;
  var acc: array<vec4f, ${laneRows * laneQuads}>;
  for (var k0 = 0u; k0 < p.depth; k0 += ${step}u) {
    for (var i = lid; i < ${step * quads}u; i += ${threads}u) {
      let k = k0 + i / ${quads}u;
      var v = vec4f();
      if (xInside && k < p.depth) {
        v = quad(x[xBase + k * step]);
      }
      xTile[i] = v;
    }
    for (var i = lid; i < ${step * wQuads}u; i += ${threads}u) {
      let k = k0 + i / ${wQuads}u;
      var v = vec4f();
      if (wInside && k < p.depth) {
        v = weight4(w[wBase + k * 2u]);
      }
      wTile[i] = v;
    }
    workgroupBarrier();
    for (var k = 0u; k < ${step}u; k++) {
${list(laneLines, (i) => `      let a${i} = wTile[k * ${wQuads}u + down * ${laneLines}u + ${i}u];`)}
${list(laneQuads, (side) => `      let b${side} = xTile[k * ${quads}u + across + ${side * across}u];`)}
${sums}
    }
    workgroupBarrier();
  }

  for (var side = 0u; side < ${laneQuads}u; side++) {
    let column = columnTile * ${quads}u + side * ${across}u + across;
    if (column < total) {
      let image = column / p.quads;
      for (var i = 0u; i < ${laneRows}u; i++) {
        let row = rowTile * ${rows}u + down * ${laneRows}u + i;
        if (row < p.rows) {
          let at = (image * p.rows + row) * step + group * p.quads + column % p.quads;
          put(at, acc[side * ${laneRows}u + i], image, row);
        }
      }
    }
  }
}`;
}
