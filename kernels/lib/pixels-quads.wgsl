// Pixels of a row of x from `base` on, zero where not visible. Widths that are a multiple of four: a quad is wholly inside the
// image or wholly outside.
fn pixel(base: u32, col: u32, visible: bool) -> f32 {
  let at = base + min(col, p.width - 1u);
  return select(0.0, f32(x[at / 4u][at % 4u]), visible && col < p.width);
}

fn quad(base: u32, col: u32, visible: bool) -> vec4f {
  return select(vec4f(), vec4f(x[(base + col) / 4u]), visible);
}
