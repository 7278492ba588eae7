// The block of an invocation of the Winograd transforms: which one it is, where its outputs lie in the image, and its points
// in the operand (the layout is kernels/lib/winograd.ts's). Needs TILE, and the kernel's Params.
struct Block {
  channel: u32,
  // Its number among those of the operand; from p.blocks on it only fills a panel.
  place: u32,
  image: u32,
  row: u32,
  col: u32,
  // Index of its first point, and from one point to the next.
  first: u32,
  step: u32,
}

fn blockOf(t: u32) -> Block {
  let step = 1u << p.panelShift;
  let lane = t & (step - 1u);
  let line = t >> p.panelShift;
  let place = ((line / p.channels) << p.panelShift) + lane;
  let which = p.firstBlock + place;
  let blockRow = which / p.blocksX;
  let row = (blockRow % p.blocksY) * 2u * TILE;
  let col = (which % p.blocksX) * 2u * TILE;
  let first = line * (TILE + 2u) * (TILE + 2u) * step + lane;
  return Block(line % p.channels, place, blockRow / p.blocksY, row, col, first, step);
}
