import { type Place, tiledProduct } from "../../lib/tiled-product.js";
import { sliceThreads, type Tile } from "../../lib/tiles.js";
import { CHANNELS } from "./sizes.js";

const STEP = 3 * CHANNELS;

/** The loop: an invocation loads rows of the window at one quad of columns, and one quad of weights, of every so many k. */
export function tiledSource(tile: Tile, segments: number): string {
  const threads = sliceThreads(tile);
  const [quads, wQuads] = [tile.columns / 4, tile.rows / 4];
  /** Loads of an invocation, where `lines` of `across` of them are to be shared. */
  const shared = (lines: number, across: number) =>
    Array.from({ length: Math.ceil((lines * across) / threads) }, (_, i) => {
      const index = `lane + ${i * threads}u`;
      const when = (i + 1) * threads > lines * across ? { when: `${index} < ${lines * across}u` } : {};
      return { line: `(lane / ${across}u + ${(i * threads) / across}u)`, when };
    });
  const weights = shared(STEP, wQuads);
  const rows = shared(CHANNELS, quads);
  const columns = rows.flatMap(({ line, when }): Place[] =>
    [0, 1, 2].map((x) => ({ index: `(${line} * 3u + ${x}u) * ${quads}u + lane % ${quads}u`, ...when })),
  );
  const fetch = [
    ...weights.map(
      ({ line }, i) => `    {
      let channel = channel0 + ${line} / 3u;
      let v = weight4(w[wStart + (min(channel, p.inChannels - 1u) * 9u + windowRow * 3u + ${line} % 3u) * 2u]);
      w${i} = select(vec4f(), v, channel < p.inChannels);
    }`,
    ),
    ...rows.map(
      ({ line }, i) => `    {
      let v = window_row(at, min(channel0 + ${line}, p.inChannels - 1u), at.row + windowRow);
      x${3 * i} = vec4f(v.before, v.quad.xyz);
      x${3 * i + 1} = v.quad;
      x${3 * i + 2} = vec4f(v.quad.yzw, v.behind);
    }`,
    ),
  ].join("\n");
  const unit = CHANNELS * segments;
  return tiledProduct(tile, segments, {
    step: STEP,
    setup: `  let rowTiles = (p.outChannels + ${tile.rows - 1}u) / ${tile.rows}u;
  let columnTiles = (p.quads + ${quads - 1}u) / ${quads}u;
  let which = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (which >= rowTiles * columnTiles) {
    return;
  }
  let rowTile = which % rowTiles;
  let columnTile = which / rowTiles;
  let turns = (p.inChannels + ${unit - 1}u) / ${unit}u * 3u;
  // Columns and rows past the last repeat it and are not stored; of channels past the last weights are zero.
  let loadColumn = min(columnTile * ${quads}u + lane % ${quads}u, p.quads - 1u);
  let at = place(loadColumn);
  let wQuad = min(rowTile * ${wQuads}u + lane % ${wQuads}u, (p.outChannels + 7u) / 8u * 2u - 1u);
  let wStart = wQuad / 2u * p.inChannels * 18u + wQuad % 2u;
  var channel0 = firstPart * turns / 3u * ${CHANNELS}u;
  var windowRow = 0u;`,
    next: `    windowRow += 1u;
    if (windowRow == 3u) {
      windowRow = 0u;
      channel0 += ${CHANNELS}u;
    }`,
    fetch,
    weights: weights.map(({ when }, i) => ({ index: `lane + ${i * threads}u`, ...when })),
    columns,
    store: (column, row, sum) => `store(${column}, ${row}, ${sum});`,
  });
}
