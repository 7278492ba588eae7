// F(4x4, 3x3), one tile a time.
const TILE: u32 = 4u;
const SIDE: u32 = 6u;

fn across(at: u32, step: u32) -> Line {
  return line(m[at], m[at + step], m[at + 2u * step], m[at + 3u * step], m[at + 4u * step], m[at + 5u * step]);
}

fn down(rows: array<Line, SIDE>, j: u32) -> Line {
  return line(rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]);
}

fn put_row(at: u32, col: u32, visible: bool, columns: array<Line, TILE>, i: u32, factor: f32) {
  put(at, col, visible, vec4f(columns[0][i], columns[1][i], columns[2][i], columns[3][i]), factor);
}
