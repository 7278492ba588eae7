// A^T of one line, of all four tiles or one (D: vec4f or f32): sums over the points 0, +-5/8, +-3/2, infinity weighted by their powers 0 to 3.
fn line(m0: D, m1: D, m2: D, m3: D, m4: D, m5: D) -> Line {
  const a = 0.625;
  const b = 1.5;
  let even_a = m1 + m2;
  let odd_a = a * (m1 - m2);
  let even_b = m3 + m4;
  let odd_b = b * (m3 - m4);
  return Line(
    m0 + even_a + even_b,
    odd_a + odd_b,
    (a * a) * even_a + (b * b) * even_b,
    (a * a) * odd_a + (b * b) * odd_b + m5,
  );
}
