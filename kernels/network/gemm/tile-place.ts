/**
 * Lines of a loop whose workgroups cover tiles of so many rows and quads of columns: which tile is this workgroup's, and the
 * distance from one k or row of x, r and y to the next.
 */
export function tilePlace(rows: number, quads: number): string {
  return `  let total = p.live;
  let rowGroups = (p.rows + 7u) / 8u;
  let rowTiles = (p.rows + ${rows - 1}u) / ${rows}u;
  let columnTiles = (total + ${quads - 1}u) / ${quads}u;
  let t = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (t >= rowTiles * columnTiles * p.groups) {
    return;
  }
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let group = t / (rowTiles * columnTiles);
  let step = p.groups * p.quads;`;
}
