// Points 0, 1, -1, infinity of F(2x2, 3x3): row i of G is (1, p, p^2) / the product of p - q.
fn line(i: u32, at: u32, quads: u32, g: ptr<function, Taps>) {
  let u0 = piecewise(4u * i, at, quads);
  let u1 = piecewise(4u * i + 1u, at, quads);
  let u2 = piecewise(4u * i + 2u, at, quads);
  let u3 = piecewise(4u * i + 3u, at, quads);
  let even = 0.5 * (u1 + u2);
  let row = array<vec4f, 3>(even - u0, 0.5 * (u1 - u2), even + u3);
  let point = select(1.0, -1.0, i == 2u);
  let powers = select(0.5 * vec3f(1.0, point, 1.0), vec3f(-1.0, 0.0, 0.0), i == 0u);
  let last = select(powers, vec3f(0.0, 0.0, 1.0), i == 3u);
  for (var j = 0; j < SIDE; j++) {
    (*g)[0][j] += last.x * row[j];
    (*g)[1][j] += last.y * row[j];
    (*g)[2][j] += last.z * row[j];
  }
}
