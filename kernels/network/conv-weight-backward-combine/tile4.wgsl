// Points 0, +-a, +-b, infinity of F(4x4, 3x3), a = 5/8, b = 3/2: row i of G is (1, p, p^2) / the product of p - q.
const ZERO = 1.0 / (0.390625 * 2.25);
const A = 1.0 / (2.0 * 0.390625 * (0.390625 - 2.25));
const B = 1.0 / (2.0 * 2.25 * (2.25 - 0.390625));

fn line(i: u32, at: u32, quads: u32, g: ptr<function, Taps>) {
  let u0 = piecewise(6u * i, at, quads);
  let u1 = piecewise(6u * i + 1u, at, quads);
  let u2 = piecewise(6u * i + 2u, at, quads);
  let u3 = piecewise(6u * i + 3u, at, quads);
  let u4 = piecewise(6u * i + 4u, at, quads);
  let u5 = piecewise(6u * i + 5u, at, quads);
  let even_a = A * (u1 + u2);
  let even_b = B * (u3 + u4);
  let row = array<vec4f, 3>(
    ZERO * u0 + even_a + even_b,
    (A * 0.625) * (u1 - u2) + (B * 1.5) * (u3 - u4),
    0.390625 * even_a + 2.25 * even_b + u5,
  );
  let point = select(1.5, 0.625, i < 3u) * select(-1.0, 1.0, i % 2u == 1u) * select(0.0, 1.0, i > 0u);
  let factor = select(select(B, A, i < 3u), ZERO, i == 0u);
  let powers = select(factor * vec3f(1.0, point, point * point), vec3f(0.0, 0.0, 1.0), i == 5u);
  for (var j = 0; j < SIDE; j++) {
    (*g)[0][j] += powers.x * row[j];
    (*g)[1][j] += powers.y * row[j];
    (*g)[2][j] += powers.z * row[j];
  }
}
