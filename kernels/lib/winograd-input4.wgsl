// B^T of F(4x4, 3x3), four patches or channels at a time or one (D: vec4f or f32).
// The kernel has `alias Line = array<D, 6>`.

// Of one line; points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
fn input_line(d0: D, d1: D, d2: D, d3: D, d4: D, d5: D) -> Line {
  const a = 0.625;
  const b = 1.5;
  const aa = a * a;
  const bb = b * b;
  let even_a = d4 - bb * d2;
  let odd_a = a * (d3 - bb * d1);
  let even_b = d4 - aa * d2;
  let odd_b = b * (d3 - aa * d1);
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
