// f16 rows of a multiple of 4 pixels on a software adapter: two words hold a quad and cost half of what four halves do.
// Past the last quad of a row, that quad is read again.
alias Element = vec2u;
alias Stored = vec4<S>;

fn rowLength() -> u32 {
  return p.quads;
}

fn load4(row: u32, quad: u32, pixels: u32) -> vec4f {
  let words = qkv[row + min(quad, pixels / 4u - 1u)];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn store4(row: u32, quad: u32, v: vec4f, pixels: u32) {
  y[row + quad] = vec4<S>(v);
}
