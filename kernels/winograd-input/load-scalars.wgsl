// Any width.
fn at(base: u32, col: u32, visible: bool) -> f32 {
  return select(0.0, f32(x[base + min(col, p.width - 1u)]), visible && col < p.width);
}

fn load(base: u32, col: u32, visible: bool) -> Row {
  return Row(
    at(base, select(p.width, col - 1u, col > 0u), visible),
    vec4f(at(base, col, visible), at(base, col + 1u, visible), at(base, col + 2u, visible), at(base, col + 3u, visible)),
    vec4f(at(base, col + 4u, visible), at(base, col + 5u, visible), at(base, col + 6u, visible), at(base, col + 7u, visible)),
    at(base, col + 8u, visible),
  );
}
