// Rows of a multiple of 4 pixels: a quad is one element. Past the last quad of a row, that quad is read again.
alias Element = vec4<S>;
alias Stored = vec4<S>;

fn rowLength() -> u32 {
  return p.quads;
}

// Pixel 4 * quad + lane.
fn load1(row: u32, quad: u32, lane: u32, pixels: u32) -> f32 {
  return f32(qkv[row + min(quad + lane / 4u, pixels / 4u - 1u)][lane % 4u]);
}

fn load4(row: u32, quad: u32, pixels: u32) -> vec4f {
  return vec4f(qkv[row + min(quad, pixels / 4u - 1u)]);
}

fn store4(row: u32, quad: u32, v: vec4f, pixels: u32) {
  y[row + quad] = vec4<S>(v);
}
