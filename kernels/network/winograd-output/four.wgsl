// For software adapters: an invocation for the four tiles of a block of a channel, one component of a vec4 each. After
// tile2.wgsl or tile4.wgsl, which has `transform`.
fn each(t: u32) {
  let b = blockOf(t);
  if (b.place >= p.blocks) {
    return;
  }
  var factor = 0.0;
  if (EPILOGUE == 1u) {
    factor = c[b.image * p.scaleStride + p.scaleOffset + p.firstChannel + b.channel];
  }
  let image = (b.image * p.ofChannels + p.firstChannel + b.channel) * p.height;
  transform(b.first, b.step, image, b.row, b.col, factor);
}
