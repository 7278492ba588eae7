// B^T d B of F(4x4, 3x3): patches of 6x6. Points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
const TILE: i32 = 4;
const BEFORE: i32 = 1;
const ROWS: i32 = 6;

alias Pixels = array<vec4f, 6>;
alias Line = array<vec4f, 6>;
alias Patch = array<Line, 6>;

// B^T of one row.
fn line(r: Pixels) -> Line {
  const aa = 0.390625;
  const bb = 2.25;
  let d0 = r[0];
  let d1 = r[1];
  let d2 = r[2];
  let d3 = r[3];
  let d4 = r[4];
  let d5 = r[5];
  let even_a = d4 - bb * d2;
  let odd_a = 0.625 * (d3 - bb * d1);
  let even_b = d4 - aa * d2;
  let odd_b = 1.5 * (d3 - aa * d1);
  return Line(
    (aa * bb) * d0 - (aa + bb) * d2 + d4,
    even_a + odd_a,
    even_a - odd_a,
    even_b + odd_b,
    even_b - odd_b,
    (aa * bb) * d1 - (aa + bb) * d3 + d5,
  );
}

// Row i of B^T.
fn weights(i: u32) -> array<f32, 6> {
  const aa = 0.390625;
  const bb = 2.25;
  if (i == 0u) {
    return array<f32, 6>(aa * bb, 0.0, -(aa + bb), 0.0, 1.0, 0.0);
  }
  if (i == 5u) {
    return array<f32, 6>(0.0, aa * bb, 0.0, -(aa + bb), 0.0, 1.0);
  }
  // x (x + point) (x^2 - other^2) without the factor of this point.
  let point = select(1.5, 0.625, i < 3u) * select(-1.0, 1.0, i % 2u == 1u);
  let other = select(aa, bb, i < 3u);
  return array<f32, 6>(0.0, -point * other, -other, point, 1.0, 0.0);
}
