// A g A^T of F(4x4, 3x3): tiles of 4x4. Points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
const TILE: i32 = 4;
const BEFORE: i32 = 0;
const ROWS: i32 = 4;

// A of one row: its polynomial at the points; infinity has the highest coefficient.
fn line(r: Pixels) -> Line {
  const a = 0.625;
  const b = 1.5;
  let g0 = r[0];
  let g1 = r[1];
  let g2 = r[2];
  let g3 = r[3];
  let even_a = g0 + (a * a) * g2;
  let odd_a = a * g1 + (a * a * a) * g3;
  let even_b = g0 + (b * b) * g2;
  let odd_b = b * g1 + (b * b * b) * g3;
  return Line(g0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g3);
}

// Row i of A: powers of point i.
fn weights(i: u32) -> vec4f {
  let point = select(1.5, 0.625, i < 3u) * select(-1.0, 1.0, i % 2u == 1u) * select(0.0, 1.0, i > 0u && i < 5u);
  let powers = vec4f(1.0, point, point * point, point * point * point);
  return select(powers, vec4f(0.0, 0.0, 0.0, 1.0), i == 5u);
}
