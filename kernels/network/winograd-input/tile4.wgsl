// F(4x4, 3x3): patches of 6x6 from ten rows of ten pixels.
const TILE: u32 = 4u;

// Ten neighbours of one row: before, the block's eight, behind.
struct Row {
  before: f32,
  left: vec4f,
  right: vec4f,
  behind: f32,
}

alias D = vec4f;
alias Line = array<D, 6>;

// A clamped row keeps the loads inside the buffer; what lies outside the image is then replaced by zero.
fn load_row(image: u32, row: i32, col: u32, real: bool) -> Row {
  let visible = real && row >= 0 && row < i32(p.height);
  return load((image + u32(clamp(row, 0, i32(p.height) - 1))) * p.width, col, visible);
}

// Writes the block's points from v[first] on, `step` apart.
fn transform(image: u32, row: i32, col: u32, real: bool, first: u32, step: u32) {
  // Both loops take their length from the uniform, so that they stay loops: unrolled, they cost software adapters seconds
  // of compilation. For the same reason d is moved along instead of indexed, and the second pass multiplies by a row of
  // weights, zeros included, instead of sharing sums.
  var d: array<Line, 6>;
  for (var i = 0; i < i32(p.lines); i++) {
    let up = load_row(image, row + i, col, real);
    let low = load_row(image, row + i + 4, col, real);
    d[0] = d[1];
    d[1] = d[2];
    d[2] = d[3];
    d[3] = d[4];
    d[4] = d[5];
    d[5] = input_line(
      vec4f(up.before, up.left.w, low.before, low.left.w),
      vec4f(up.left.x, up.right.x, low.left.x, low.right.x),
      vec4f(up.left.y, up.right.y, low.left.y, low.right.y),
      vec4f(up.left.z, up.right.z, low.left.z, low.right.z),
      vec4f(up.left.w, up.right.w, low.left.w, low.right.w),
      vec4f(up.right.x, up.behind, low.right.x, low.behind),
    );
  }
  var at = first;
  for (var i = 0u; i < p.lines; i++) {
    let k = weights(i);
    for (var j = 0u; j < 6u; j++) {
      v[at] = k[0] * d[0][j] + k[1] * d[1][j] + k[2] * d[2][j] + k[3] * d[3][j] + k[4] * d[4][j] + k[5] * d[5][j];
      at += step;
    }
  }
}
