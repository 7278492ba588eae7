// F(2x2, 3x3), one tile a time.
const TILE: u32 = 2u;
const SIDE: u32 = 4u;

fn across(at: u32, step: u32) -> Line {
  return line(m[at], m[at + step], m[at + 2u * step], m[at + 3u * step]);
}

fn down(rows: array<Line, SIDE>, j: u32) -> Line {
  return line(rows[0][j], rows[1][j], rows[2][j], rows[3][j]);
}

fn put_row(at: u32, col: u32, visible: bool, columns: array<Line, TILE>, i: u32, factor: f32) {
  put_one(at, visible && col < p.width, columns[0][i], factor);
  put_one(at + 1u, visible && col + 1u < p.width, columns[1][i], factor);
}
