// Widths that are a multiple of four: all four columns of a quad are there.
fn put(at: u32, col: u32, acc: vec4f, image: u32, channel: u32) {
  if (EPILOGUE == 1u) {
    y[at / 4u] = V(scaled(acc, c[image * p.scaleStride + p.scaleOffset + channel]));
  } else if (EPILOGUE == 2u) {
    y[at / 4u] = V(summed(acc, F(r[at / 4u]), p.residual, p.clip));
  } else {
    y[at / 4u] = V(acc);
  }
}
