// F(2x2, 3x3): 4x4 outputs of a block.
const TILE: u32 = 2u;

alias D = vec4f;
alias Line = array<D, 2>;

// Reads the block's points from m[first] on, `step` apart. Loops that stay loops, as in tile4.wgsl.
fn transform(first: u32, step: u32, image: u32, row: u32, col: u32, factor: f32) {
  var at = first;
  var out: array<Line, 2>;
  for (var i = 0u; i < p.lines; i++) {
    let o = line(m[at], m[at + step], m[at + 2u * step], m[at + 3u * step]);
    at += 4u * step;
    let even = select(1.0, 0.0, i == 3u);
    let odd = select(select(1.0, -1.0, i == 2u), 0.0, i == 0u);
    for (var j = 0u; j < 2u; j++) {
      out[0][j] += even * o[j];
      out[1][j] += odd * o[j];
    }
  }
  for (var i = 0u; i + 2u < p.lines; i++) {
    let o = out[0];
    let base = (image + row + i) * p.width + col;
    put(base, col, row + i < p.height, vec4f(o[0].x, o[1].x, o[0].y, o[1].y), factor);
    put(base + 2u * p.width, col, row + i + 2u < p.height, vec4f(o[0].z, o[1].z, o[0].w, o[1].w), factor);
    out[0] = out[1];
  }
}
