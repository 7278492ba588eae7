// Any width.
fn put_one(at: u32, visible: bool, acc: f32, factor: f32) {
  if (visible) {
    if (EPILOGUE == 1u) {
      y[at] = V(scaled(acc, factor));
    } else if (EPILOGUE == 2u) {
      y[at] = V(summed(acc, f32(r[at]), p.residual, p.clip));
    } else {
      y[at] = V(acc);
    }
  }
}

fn put(at: u32, col: u32, visible: bool, acc: vec4f, factor: f32) {
  for (var i = 0u; i < 4u; i++) {
    put_one(at + i, visible && col + i < p.width, acc[i], factor);
  }
}
