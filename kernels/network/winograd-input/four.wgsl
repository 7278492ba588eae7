// For software adapters: an invocation for the four tiles of a block of a channel, one component of a vec4 each. After
// tile2.wgsl or tile4.wgsl, which has `transform`.
fn each(t: u32) {
  let b = blockOf(t);
  // Blocks past the last fill their panel with zeros.
  let real = b.place < p.blocks;
  let image = (select(0u, b.image, real) * p.channels + b.channel) * p.height;
  transform(image, i32(b.row) - 1, b.col, real, b.first, b.step);
}
