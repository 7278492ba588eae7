// Pixels of a row of x from `base` on, zero where not visible. Any width.
fn pixel(base: u32, col: u32, visible: bool) -> f32 {
  return select(0.0, f32(x[base + min(col, p.width - 1u)]), visible && col < p.width);
}

fn quad(base: u32, col: u32, visible: bool) -> vec4f {
  return vec4f(
    pixel(base, col, visible),
    pixel(base, col + 1u, visible),
    pixel(base, col + 2u, visible),
    pixel(base, col + 3u, visible),
  );
}
