// Any width; after pixels-scalars.wgsl.
fn load(base: u32, col: u32, visible: bool) -> Row {
  return Row(
    pixel(base, select(p.width, col - 1u, col > 0u), visible),
    quad(base, col, visible),
    quad(base, col + 4u, visible),
    pixel(base, col + 8u, visible),
  );
}
