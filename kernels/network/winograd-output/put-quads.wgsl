// Widths that are a multiple of four: a quad is wholly inside the image or wholly outside.
fn put(at: u32, col: u32, visible: bool, acc: vec4f, factor: f32) {
  if (visible && col < p.width) {
    if (EPILOGUE == 1u) {
      y[at / 4u] = V(scaled(acc, factor));
    } else if (EPILOGUE == 2u) {
      y[at / 4u] = V(summed(acc, vec4f(r[at / 4u]), p.residual, p.clip));
    } else {
      y[at / 4u] = V(acc);
    }
  }
}
