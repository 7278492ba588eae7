// A^T of one line, of all four tiles or one (D: vec4f or f32): sums over the points 0, 1, -1, infinity weighted by their powers 0 and 1.
fn line(m0: D, m1: D, m2: D, m3: D) -> Line {
  return Line(m0 + m1 + m2, m1 - m2 + m3);
}
