import { sliceThreads, type Tile } from "./tiles.js";

/** What a kernel adds to the loop of `tiledProduct`: WGSL lines. */
export interface TiledParts {
  /** k of a turn. */
  readonly step: number;
  /**
   * Before everything: `rowTile` and `columnTile` of this workgroup, `turns`, the number of them in each part of the sum, and what the
   * other lines need, at the first turn of part `firstPart`; sees `lane`, the invocation's number in its slice, and `slice`. Leaves together where there is no such tile.
   */
  readonly setup: string;
  /** To the next turn; past the last one, its loads have to stay inside the buffers. */
  readonly next: string;
  /** Loads the turn's operands into `w0`, `w1`, ... and `x0`, `x1`, ...: (vec4f) variables of these names are there. */
  readonly fetch: string;
  /** For each of them the index in the slice's tile of weights, [k][quad of rows], or columns, [k][quad]; a condition, if any. */
  readonly weights: readonly Place[];
  readonly columns: readonly Place[];
  /** Stores a sum, unless its quad of columns or its row is not there. */
  store(column: string, row: string, sum: string): string;
}

export interface Place {
  readonly index: string;
  readonly when?: string;
}

/**
 * For GPUs: a tile of rows x columns per workgroup, `step` k at a time through workgroup memory. A turn loads its operands into
 * registers, while those of the turn before are multiplied, and then puts them where they can be shared. All loops run from a
 * constant to a constant, so that a compiler guards none of them; products are `fma`, so that no compiler may contract one tile's
 * and not another's: with the parts of the sum (`SEGMENTS`) bits depend on the layer alone. The text is made here because a
 * workgroup's size has to be a literal.
 */
export function tiledProduct(tile: Tile, segments: number, parts: TiledParts): string {
  const { laneRows, laneQuads, slices } = tile;
  const threads = sliceThreads(tile);
  const [quads, wQuads, lines] = [tile.columns / 4, tile.rows / 4, laneRows / 4];
  const across = quads / laneQuads;
  const sums = laneRows * laneQuads;
  const operands = slices * parts.step * (wQuads + quads);
  const memory = slices > 1 ? Math.max(operands, segments * sums * threads) : operands;
  const list = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join("\n");
  const names = (prefix: string, count: number) => list(count, (i) => `  var ${prefix}${i} = vec4f();`);
  const keep = (name: string, base: string, places: readonly Place[]) =>
    list(places.length, (i) => {
      const put = `memory[${base} + ${places[i]!.index}] = ${name}${i};`;
      return places[i]!.when ? `    if (${places[i]!.when}) {\n      ${put}\n    }` : `    ${put}`;
    });
  const products = list(laneQuads, (side) =>
    list(laneRows, (row) => {
      const i = side * laneRows + row;
      return `        a${i} = fma(vec4f(l${row >> 2}.${"xyzw"[row & 3]}), r${side}, a${i});`;
    }),
  );
  // One after another, parts follow each other without a break: all of them in one slice, or two in each of several.
  const own = segments / slices;
  const parted = own > 1;
  const flush = `      if (${slices === 1 ? "turn % turns == 0u" : "turn == turns"}) {
${list(sums, (i) => `        s${i} += a${i};\n        a${i} = vec4f();`)}
      }`;
  const store = (i: number) => {
    const column = `column + ${Math.floor(i / laneRows) * across}u`;
    return `  ${parts.store(column, `row + ${i % laneRows}u`, `${parted ? "s" : "a"}${i}`)}`;
  };
  return `
var<workgroup> memory: array<vec4f, ${memory}>;

@compute @workgroup_size(${slices * threads})
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let lane = lid % ${threads}u;
  let slice = lid / ${threads}u;
  let firstPart = slice * ${own}u;
${parts.setup}
  let across = lane % ${across}u;
  let down = lane / ${across}u;
  let wBase = slice * ${parts.step * wQuads}u;
  let xBase = ${slices * parts.step * wQuads}u + slice * ${parts.step * quads}u;
  let wFrom = wBase + down * ${lines}u;
  let xFrom = xBase + across;
  let column = columnTile * ${quads}u + across;
  let row = rowTile * ${tile.rows}u + down * ${laneRows}u;
${names("a", sums)}
${parted ? names("s", sums) : ""}
${names("w", parts.weights.length)}
${names("x", parts.columns.length)}
  for (var turn = 0u; turn < 65536u; turn++) {
${parts.fetch}
${parts.next}
    if (turn > 0u) {
      for (var k = 0u; k < ${parts.step}u; k++) {
${list(lines, (i) => `        let l${i} = memory[wFrom + k * ${wQuads}u + ${i}u];`)}
${list(laneQuads, (side) => `        let r${side} = memory[xFrom + k * ${quads}u + ${side * across}u];`)}
${products}
      }
${parted ? flush : ""}
    }
    if (turn == ${own > 1 ? `${own}u * turns` : "turns"}) {
      break;
    }
    workgroupBarrier();
${keep("w", "wBase", parts.weights)}
${keep("x", "xBase", parts.columns)}
    workgroupBarrier();
  }
${slices > 1 ? sliced(segments, own, sums, threads, parts) : list(sums, (i) => store(i))}
}`;
}

/** The parts of all slices (`own` of each), added in their order; the first slices store a row (of one quad) each. */
function sliced(segments: number, own: number, sums: number, threads: number, parts: TiledParts): string {
  const lines = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));
  const place = (part: string, i: string) => `memory[((${part}) * ${sums}u + ${i}) * ${threads}u + lane]`;
  const sum = lines(segments, (i) => place(`${i}u`, "slice")).reduce((text, next) => `(${text} + ${next})`, "vec4f()");
  const put = (part: number) =>
    lines(sums, (i) => `  ${place(`slice * ${own}u + ${part}u`, `${i}u`)} = ${part < own - 1 ? "s" : "a"}${i};`);
  return `  workgroupBarrier();
${lines(own, (part) => put(part).join("\n")).join("\n")}
  workgroupBarrier();
  if (slice < ${sums}u) {
    ${parts.store("column", "row + slice", sum)}
  }`;
}
