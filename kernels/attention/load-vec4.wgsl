// Rows of a multiple of 4 pixels: four pixels are one element.
alias Quad = vec4<S>;

fn load4(row: u32, quad: u32) -> vec4f {
  return vec4f(qkv[row * p.quads + quad]);
}

fn store4(row: u32, quad: u32, v: vec4f) {
  y[row * p.quads + quad] = vec4<S>(v);
}
