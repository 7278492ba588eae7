// Rows of any length. Past the last pixel of a row, that pixel is read again and nothing is stored.
alias Element = S;
alias Stored = S;

fn rowLength() -> u32 {
  return p.pixels;
}

// Pixel 4 * quad + lane.
fn load1(row: u32, quad: u32, lane: u32, pixels: u32) -> f32 {
  return f32(qkv[row + min(4u * quad + lane, pixels - 1u)]);
}

fn load4(row: u32, quad: u32, pixels: u32) -> vec4f {
  let last = pixels - 1u;
  let a = f32(qkv[row + min(4u * quad, last)]);
  let b = f32(qkv[row + min(4u * quad + 1u, last)]);
  let c = f32(qkv[row + min(4u * quad + 2u, last)]);
  let d = f32(qkv[row + min(4u * quad + 3u, last)]);
  return vec4f(a, b, c, d);
}

fn store4(row: u32, quad: u32, v: vec4f, pixels: u32) {
  for (var j = 0u; j < 4u; j++) {
    if (4u * quad + j < pixels) {
      y[row + 4u * quad + j] = S(v[j]);
    }
  }
}
