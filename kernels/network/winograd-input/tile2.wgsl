// F(2x2, 3x3): patches of 4x4 from six rows of six pixels.
const TILE: u32 = 2u;

alias D = vec4f;
alias Line = array<D, 4>;

// Six neighbours of one row. A clamped row keeps the loads inside the buffer; what lies outside the image is then zero.
struct Row {
  before: f32,
  quad: vec4f,
  behind: f32,
}

fn load_row(image: u32, row: i32, col: u32, real: bool) -> Row {
  let visible = real && row >= 0 && row < i32(p.height);
  let base = (image + u32(clamp(row, 0, i32(p.height) - 1))) * p.width;
  return Row(
    pixel(base, select(p.width, col - 1u, col > 0u), visible),
    quad(base, col, visible),
    pixel(base, col + 4u, visible),
  );
}

// Writes the block's points from v[first] on, `step` apart. Loops that stay loops, as in tile4.wgsl.
fn transform(image: u32, row: i32, col: u32, real: bool, first: u32, step: u32) {
  var d: array<Line, 4>;
  for (var i = 0; i < i32(p.lines); i++) {
    let up = load_row(image, row + i, col, real);
    let low = load_row(image, row + i + 2, col, real);
    d[0] = d[1];
    d[1] = d[2];
    d[2] = d[3];
    d[3] = input_line(
      vec4f(up.before, up.quad.y, low.before, low.quad.y),
      vec4f(up.quad.x, up.quad.z, low.quad.x, low.quad.z),
      vec4f(up.quad.y, up.quad.w, low.quad.y, low.quad.w),
      vec4f(up.quad.z, up.behind, low.quad.z, low.behind),
    );
  }
  var at = first;
  for (var i = 0u; i < p.lines; i++) {
    let k = weights(i);
    for (var j = 0u; j < 4u; j++) {
      v[at] = k.x * d[0][j] + k.y * d[1][j] + k.z * d[2][j] + k.w * d[3][j];
      at += step;
    }
  }
}
