// Products of channels, summed over places: what weight gradients are made of. Places are the pixels of all images for a
// 1x1 convolution and for the taps of a 3x3 window, or the tiles of Winograd transforms.
//
//   y[row, piece, group, column] = sum over the places of the piece's panels of a[place, row, group] b[place, column, group]
//
//   a [panels][octets of rows][groups, or one for all][16][8]   b [panels][octets of columns][groups][16][8]
//   y [rows][pieces][groups][columns], or, of a single piece, [rows][columns][groups]: taps of a gradient that is done
//                                                               (operands: kernels/lib/channel-operand.ts)
//
// Rows come first in y, so that the next kernel finds all pieces and points of a row in few pages. Every element sums the
// places of its piece in ascending order, whatever its place in a tile; `summed`, the pieces are then added in order here, as
// the next kernel would. The loops are in subgroup.ts, plain.wgsl and tiled.ts, one of them in front of this text: for adapters
// with subgroups of one size and no fast workgroup memory, for other software, for GPUs. So are Y, DONE, `put` (store.ts).
struct Params {
  groups: u32,
  // Groups of a.
  aGroups: u32,
  panels: u32,
  // Octets, of y and of a.
  rows: u32,
  firstRow: u32,
  ofRows: u32,
  columns: u32,
  // Panels of a piece, and of all that is added up for one sum in y.
  piece: u32,
  span: u32,
  pieces: u32,
  // The first of them in y, and how many y has.
  firstPiece: u32,
  ofPieces: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;

// Quads of a block: the 16 places of an octet at one point.
const BLOCK: u32 = 32u;

// The first quad of the first panel, for a quad of rows.
fn aQuad(group: u32, quad: u32) -> u32 {
  return ((p.firstRow + quad / 2u) * p.aGroups + select(0u, group, p.aGroups > 1u)) * BLOCK + quad % 2u;
}

// And for a quad of columns.
fn bQuad(group: u32, quad: u32) -> u32 {
  return (quad / 2u * p.groups + group) * BLOCK + quad % 2u;
}

// Quads from one panel to the next.
fn aPanel() -> u32 {
  return p.ofRows * p.aGroups * BLOCK;
}

fn bPanel() -> u32 {
  return p.columns * p.groups * BLOCK;
}

// Quad of y where a row begins, and quads from one row to the next; in a gradient that is done, of one tap.
fn yRow(piece: u32, group: u32, row: u32) -> u32 {
  return row * yStep() + select(((p.firstPiece + piece) * p.groups + group) * p.columns * 2u, 0u, DONE);
}

fn yStep() -> u32 {
  return select(p.ofPieces * p.groups, 1u, DONE) * p.columns * 2u;
}

// What a unit of work computes: a tile, its place counted along `near` first, of one group and piece.
struct Unit {
  near: u32,
  far: u32,
  group: u32,
  piece: u32,
}

// Of `tiles` tiles of each group and piece, `near` of them in a line. The taps of a gradient that is done lie beside each other and
// are made one after the other, while the caches have its lines.
fn unitOf(t: u32, near: u32, tiles: u32) -> Unit {
  let product = t / select(tiles, 1u, DONE);
  let group = product % p.groups;
  let tile = select(t, product / p.groups, DONE) % tiles;
  return Unit(tile % near, tile / near, group, select(product / p.groups, 0u, DONE));
}
