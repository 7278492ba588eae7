// A g A^T of F(2x2, 3x3): tiles of 2x2. Points 0, 1, -1, infinity.
const TILE: i32 = 2;
const BEFORE: i32 = 0;
const ROWS: i32 = 2;

// A of one row: its polynomial at the points; infinity has the highest coefficient.
fn line(r: Pixels) -> Line {
  let g0 = r[0];
  let g1 = r[1];
  return Line(g0, g0 + g1, g0 - g1, g1);
}

// Row i of A.
fn weights(i: u32) -> vec2f {
  return vec2f(select(1.0, 0.0, i == 3u), select(select(1.0, -1.0, i == 2u), 0.0, i == 0u));
}
