// F(4x4, 3x3), patches of 6x6, one a time.
const TILE: u32 = 4u;
const SIDE: u32 = 6u;

fn line(base: u32, col: u32, visible: bool) -> Line {
  let before = pixel(base, select(p.width, col - 1u, col > 0u), visible);
  // A tile past the last column reads the row's beginning instead.
  let inside = col < p.width;
  let own = quad(base, select(0u, col, inside), visible && inside);
  return input_line(before, own.x, own.y, own.z, own.w, pixel(base, col + 4u, visible));
}

fn column(d: array<Line, SIDE>, j: u32) -> Line {
  return input_line(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
}
