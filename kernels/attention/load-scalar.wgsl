// Rows of any length: past the last pixel of a row, that pixel is read again and nothing is stored.
alias Quad = S;

fn load4(row: u32, quad: u32) -> vec4f {
  let first = row * p.pixels;
  let at = vec4u(first) + min(4u * quad + vec4u(0u, 1u, 2u, 3u), vec4u(p.pixels - 1u));
  return vec4f(f32(qkv[at.x]), f32(qkv[at.y]), f32(qkv[at.z]), f32(qkv[at.w]));
}

fn store4(row: u32, quad: u32, v: vec4f) {
  for (var j = 0u; j < min(4u, p.pixels - 4u * quad); j++) {
    y[row * p.pixels + 4u * quad + j] = S(v[j]);
  }
}
