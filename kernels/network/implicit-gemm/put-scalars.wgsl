// Any width: columns past the last are not there.
fn put(at: u32, col: u32, acc: vec4f, image: u32, channel: u32) {
  for (var i = 0u; i < 4u; i++) {
    if (col + i < p.width) {
      var v = acc[i];
      if (EPILOGUE == 1u) {
        v = scaled(v, c[image * p.scaleStride + p.scaleOffset + channel]);
      } else if (EPILOGUE == 2u) {
        v = summed(v, F(r[at + i]), p.residual, p.clip);
      }
      y[at + i] = V(v);
    }
  }
}
