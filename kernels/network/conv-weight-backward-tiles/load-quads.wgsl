// Tiles of 4 and widths that are a multiple of four: the four pixels of a tile's row are one quad, wholly inside the image.
alias V = vec4<S>;

// A row of a patch of four channels, of which `real` are there. Clamped indices keep the loads inside the buffer; what lies
// outside the image, past the last channel or past the last tile is zero.
fn load(images: vec4u, real: u32, row: i32, col: i32) -> Pixels {
  let seen = select(0u, real, row >= 0 && row < i32(p.height));
  let i = images + u32(clamp(row, 0, i32(p.height) - 1)) * p.width + u32(col + BEFORE);
  let a = select(vec4f(), vec4f(x[i.x / 4u]), seen > 0u);
  let b = select(vec4f(), vec4f(x[i.y / 4u]), seen > 1u);
  let c = select(vec4f(), vec4f(x[i.z / 4u]), seen > 2u);
  let d = select(vec4f(), vec4f(x[i.w / 4u]), seen > 3u);
  var r: Pixels;
  r[BEFORE] = vec4f(a.x, b.x, c.x, d.x);
  r[BEFORE + 1] = vec4f(a.y, b.y, c.y, d.y);
  r[BEFORE + 2] = vec4f(a.z, b.z, c.z, d.z);
  r[BEFORE + 3] = vec4f(a.w, b.w, c.w, d.w);
  if (BEFORE == 1) {
    let before_seen = select(0u, seen, col >= 0);
    let behind_seen = select(0u, seen, col + 5 < i32(p.width));
    let left = i / 4u - select(0u, 1u, before_seen > 0u);
    let right = i / 4u + select(0u, 1u, behind_seen > 0u);
    let before = vec4f(f32(x[left.x].w), f32(x[left.y].w), f32(x[left.z].w), f32(x[left.w].w));
    let behind = vec4f(f32(x[right.x].x), f32(x[right.y].x), f32(x[right.z].x), f32(x[right.w].x));
    r[0] = select(vec4f(), before, vec4u(0u, 1u, 2u, 3u) < vec4u(before_seen));
    r[ROWS - 1] = select(vec4f(), behind, vec4u(0u, 1u, 2u, 3u) < vec4u(behind_seen));
  }
  return r;
}
