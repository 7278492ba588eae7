// F(4x4, 3x3): 8x8 outputs of a block.
const TILE: u32 = 4u;

alias D = vec4f;
alias Line = array<D, 4>;

// Reads the block's points from m[first] on, `step` apart.
fn transform(first: u32, step: u32, image: u32, row: u32, col: u32, factor: f32) {
  // Both loops take their length from the uniform, so that they stay loops: unrolled, they cost software adapters seconds
  // of compilation. For the same reason out is moved along instead of indexed.
  var at = first;
  var out: array<Line, 4>;
  for (var i = 0u; i < p.lines; i++) {
    let o = line(
      m[at],
      m[at + step],
      m[at + 2u * step],
      m[at + 3u * step],
      m[at + 4u * step],
      m[at + 5u * step],
    );
    at += 6u * step;
    // Powers of point i; infinity contributes to the last row only.
    let point = select(1.5, 0.625, i < 3u) * select(-1.0, 1.0, i % 2u == 1u) * select(0.0, 1.0, i > 0u && i < 5u);
    let first = select(1.0, 0.0, i == 5u);
    let last = select(point * point * point, 1.0, i == 5u);
    for (var j = 0u; j < 4u; j++) {
      out[0][j] += first * o[j];
      out[1][j] += point * o[j];
      out[2][j] += (point * point) * o[j];
      out[3][j] += last * o[j];
    }
  }
  for (var i = 0u; i + 2u < p.lines; i++) {
    let o = out[0];
    let base = (image + row + i) * p.width + col;
    let below = base + 4u * p.width;
    let seen = row + i < p.height;
    let more = row + i + 4u < p.height;
    put(base, col, seen, vec4f(o[0].x, o[1].x, o[2].x, o[3].x), factor);
    put(base + 4u, col + 4u, seen, vec4f(o[0].y, o[1].y, o[2].y, o[3].y), factor);
    put(below, col, more, vec4f(o[0].z, o[1].z, o[2].z, o[3].z), factor);
    put(below + 4u, col + 4u, more, vec4f(o[0].w, o[1].w, o[2].w, o[3].w), factor);
    out[0] = out[1];
    out[1] = out[2];
    out[2] = out[3];
  }
}
