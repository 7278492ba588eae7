// Any width.
fn put(at: u32, col: u32, visible: bool, acc: vec4f, factor: f32) {
  for (var i = 0u; i < 4u; i++) {
    if (visible && col + i < p.width) {
      if (EPILOGUE == 1u) {
        y[at + i] = V(scaled(acc[i], factor));
      } else if (EPILOGUE == 2u) {
        y[at + i] = V(summed(acc[i], f32(r[at + i]), p.residual, p.clip));
      } else {
        y[at + i] = V(acc[i]);
      }
    }
  }
}
