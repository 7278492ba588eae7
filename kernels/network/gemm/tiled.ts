import { type Place, tiledProduct } from "../../lib/tiled-product.js";
import { sliceThreads, type Tile } from "../../lib/tiles.js";
import { STEP } from "./sizes.js";
import { tilePlace } from "./tile-place.js";

/** The loop for GPUs (kernels/lib/tiled-product.ts): an invocation loads one quad of columns and one of weights, of every so many k. */
export function tiledSource(tile: Tile, segments: number): string {
  const threads = sliceThreads(tile);
  const [quads, wQuads] = [tile.columns / 4, tile.rows / 4];
  const loads = (across: number) =>
    Array.from({ length: Math.ceil((STEP * across) / threads) }, (_, i): { k: string; place: Place } => {
      const index = `lane + ${i * threads}u`;
      const when = (i + 1) * threads > STEP * across ? { when: `${index} < ${STEP * across}u` } : {};
      return { k: `lane / ${across}u + ${(i * threads) / across}u`, place: { index, ...when } };
    });
  const weights = loads(wQuads);
  const columns = loads(quads);
  const fetch = [
    ...weights.map(({ k }, i) => {
      const at = `let k${i} = k0 + ${k};\n        let v = weight4(w[wStart + min(k${i}, p.depth - 1u) * 2u]);`;
      return `      {\n        ${at}\n        w${i} = select(vec4f(), v, k${i} < p.depth);\n      }`;
    }),
    ...columns.map(({ k }, i) => `      x${i} = quad(x[xStart + min(k0 + ${k}, p.depth - 1u) * step]);`),
  ].join("\n");
  return `${tiledProduct(tile, segments, {
    step: STEP,
    setup: `${tilePlace(tile.rows, quads)}
  // Columns and rows past the last repeat it and are not stored; past the last k weights are zero and columns repeat.
  let loadColumn = min(columnTile * ${quads}u + lane % ${quads}u, total - 1u);
  let xStart = loadColumn / p.quads * p.depth * step + group * p.quads + loadColumn % p.quads;
  let wQuad = min(rowTile * ${wQuads}u + lane % ${wQuads}u, rowGroups * 2u - 1u);
  let wStart = (group * rowGroups + wQuad / 2u) * p.packedDepth * 2u + wQuad % 2u;
  let turns = (p.depth + ${STEP * segments - 1}u) / ${STEP * segments}u;
  var k0 = firstPart * turns * ${STEP}u;`,
    next: `    k0 += ${STEP}u;`,
    fetch,
    weights: weights.map(({ place }) => place),
    columns: columns.map(({ place }) => place),
    store: (column, row, sum) => `store(group, ${column}, ${row}, ${sum});`,
  })}

fn store(group: u32, column: u32, row: u32, v: vec4f) {
  if (column < p.live && row < p.rows) {
    let image = column / p.quads;
    put(((image * p.rows + row) * p.groups + group) * p.quads + column % p.quads, v, image, row);
  }
}`;
}
