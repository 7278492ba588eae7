// F(2x2, 3x3), patches of 4x4, one a time.
const TILE: u32 = 2u;
const SIDE: u32 = 4u;

fn line(base: u32, col: u32, visible: bool) -> Line {
  return input_line(
    pixel(base, select(p.width, col - 1u, col > 0u), visible),
    pixel(base, col, visible),
    pixel(base, col + 1u, visible),
    pixel(base, col + 2u, visible),
  );
}

fn column(d: array<Line, SIDE>, j: u32) -> Line {
  return input_line(d[0][j], d[1][j], d[2][j], d[3][j]);
}
