// B^T of F(2x2, 3x3), four patches or channels at a time or one (D: vec4f or f32).
// The kernel has `alias Line = array<D, 4>`.

// Of one line; points 0, 1, -1, infinity.
fn input_line(d0: D, d1: D, d2: D, d3: D) -> Line {
  return Line(d2 - d0, d1 + d2, d2 - d1, d3 - d1);
}

// Row i of B^T.
fn weights(i: u32) -> vec4f {
  return vec4f(
    select(0.0, -1.0, i == 0u),
    select(select(-1.0, 1.0, i == 1u), 0.0, i == 0u),
    select(1.0, 0.0, i == 3u),
    select(0.0, 1.0, i == 3u),
  );
}
