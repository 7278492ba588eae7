// Widths that are a multiple of four: a quad is wholly inside the image or wholly outside.
fn load(base: u32, col: u32, visible: bool) -> Row {
  let at = base + col;
  let more = visible && col + 4u < p.width;
  let last = visible && col + 8u < p.width;
  let left = vec4f(x[at / 4u]);
  let right = vec4f(x[select(at, at + 4u, more) / 4u]);
  let before = f32(x[select(at, at - 4u, col > 0u) / 4u].w);
  let behind = f32(x[select(at, at + 8u, last) / 4u].x);
  return Row(
    select(0.0, before, visible && col > 0u),
    select(vec4f(), left, visible),
    select(vec4f(), right, more),
    select(0.0, behind, last),
  );
}
