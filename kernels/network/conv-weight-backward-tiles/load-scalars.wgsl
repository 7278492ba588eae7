// Any width.
alias V = S;

// Four channels of a pixel, of which `real` are there. A clamped index keeps the loads inside the buffer; what lies outside the
// image, past the last channel or past the last tile is zero.
fn pixel(images: vec4u, real: u32, row: i32, col: i32) -> vec4f {
  let inside = row >= 0 && row < i32(p.height) && col >= 0 && col < i32(p.width);
  let at = u32(clamp(row, 0, i32(p.height) - 1)) * p.width + u32(clamp(col, 0, i32(p.width) - 1));
  let i = images + at;
  let values = vec4f(f32(x[i.x]), f32(x[i.y]), f32(x[i.z]), f32(x[i.w]));
  return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) < vec4u(select(0u, real, inside)));
}

// A row of a patch.
fn load(images: vec4u, real: u32, row: i32, col: i32) -> Pixels {
  var r: Pixels;
  for (var i = 0; i < ROWS; i++) {
    r[i] = pixel(images, real, row, col + i);
  }
  return r;
}
