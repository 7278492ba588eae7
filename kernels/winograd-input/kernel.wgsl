// Input transform of Winograd's F(4x4, 3x3), v = B^T d B (Lavin & Gray 2016; points, constants and the order of the
// columns in kernels/lib/winograd.ts).
//
//   x [N, C, H, W]   v [36][C][columns] f32
//
// One invocation: the four patches of an 8x8 block of one channel, one component of a vec4 each: rows 8 qy - 1 to 8 qy + 8
// and columns 8 qx - 1 to 8 qx + 8, zero outside the image. No workgroup memory, no barriers.
struct Params {
  channels: u32,
  height: u32,
  width: u32,
  blocksX: u32,
  blocksY: u32,
  blocks: u32,
  // Six.
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;

// Ten neighbours of one row: before, the block's eight, behind.
struct Row {
  before: f32,
  left: vec4f,
  right: vec4f,
  behind: f32,
}

alias Line = array<vec4f, 6>;

// B^T of one line of all four patches, points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
fn line(d0: vec4f, d1: vec4f, d2: vec4f, d3: vec4f, d4: vec4f, d5: vec4f) -> Line {
  const a = 0.625;
  const b = 1.5;
  const aa = a * a;
  const bb = b * b;
  let even_a = d4 - bb * d2;
  let odd_a = a * (d3 - bb * d1);
  let even_b = d4 - aa * d2;
  let odd_b = b * (d3 - aa * d1);
  return Line(
    (aa * bb) * d0 - (aa + bb) * d2 + d4,
    even_a + odd_a,
    even_a - odd_a,
    even_b + odd_b,
    even_b - odd_b,
    (aa * bb) * d1 - (aa + bb) * d3 + d5,
  );
}

// A clamped row keeps the loads inside the buffer; what lies outside the image is then replaced by zero.
fn load_row(image: u32, row: i32, col: u32) -> Row {
  let visible = row >= 0 && row < i32(p.height);
  return load((image + u32(clamp(row, 0, i32(p.height) - 1))) * p.width, col, visible);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (t >= p.blocks * p.channels) {
    return;
  }
  let place = t % p.blocks;
  let channel = t / p.blocks;
  let blockRow = place / p.blocksX;
  let n = blockRow / p.blocksY;
  let qy = blockRow % p.blocksY;
  let qx = place % p.blocksX;
  let row = i32(qy) * 8 - 1;
  let col = qx * 8u;
  let image = (n * p.channels + channel) * p.height;

  // Both loops move the lines along instead of indexing them, and take their length from the uniform, so that they stay
  // loops: unrolled, they cost software adapters seconds of compilation.
  var d: array<Line, 6>;
  for (var i = 0; i < i32(p.lines); i++) {
    let up = load_row(image, row + i, col);
    let low = load_row(image, row + i + 4, col);
    d[0] = d[1];
    d[1] = d[2];
    d[2] = d[3];
    d[3] = d[4];
    d[4] = d[5];
    d[5] = line(
      vec4f(up.before, up.left.w, low.before, low.left.w),
      vec4f(up.left.x, up.right.x, low.left.x, low.right.x),
      vec4f(up.left.y, up.right.y, low.left.y, low.right.y),
      vec4f(up.left.z, up.right.z, low.left.z, low.right.z),
      vec4f(up.left.w, up.right.w, low.left.w, low.right.w),
      vec4f(up.right.x, up.behind, low.right.x, low.behind),
    );
  }
  let stride = p.channels * p.blocks;
  var at = t;
  for (var j = 0u; j < p.lines; j++) {
    let r = line(d[0][0], d[1][0], d[2][0], d[3][0], d[4][0], d[5][0]);
    v[at] = r[0];
    v[at + 6u * stride] = r[1];
    v[at + 12u * stride] = r[2];
    v[at + 18u * stride] = r[3];
    v[at + 24u * stride] = r[4];
    v[at + 30u * stride] = r[5];
    at += stride;
    for (var i = 0u; i < 6u; i++) {
      d[i] = Line(d[i][1], d[i][2], d[i][3], d[i][4], d[i][5], vec4f());
    }
  }
}
