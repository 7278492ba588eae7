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

// B^T of one line of all four patches, points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
fn line(d0: vec4f, d1: vec4f, d2: vec4f, d3: vec4f, d4: vec4f, d5: vec4f) -> array<vec4f, 6> {
  const a = 0.625;
  const b = 1.5;
  const aa = a * a;
  const bb = b * b;
  let even_a = d4 - bb * d2;
  let odd_a = a * (d3 - bb * d1);
  let even_b = d4 - aa * d2;
  let odd_b = b * (d3 - aa * d1);
  return array<vec4f, 6>(
    (aa * bb) * d0 - (aa + bb) * d2 + d4,
    even_a + odd_a,
    even_a - odd_a,
    even_b + odd_b,
    even_b - odd_b,
    (aa * bb) * d1 - (aa + bb) * d3 + d5,
  );
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
  let block = t % p.blocks;
  let channel = t / p.blocks;
  let n = block / (p.blocksX * p.blocksY);
  let row = i32((block / p.blocksX) % p.blocksY) * 8 - 1;
  let col = (block % p.blocksX) * 8u;
  let image = (n * p.channels + channel) * p.height;

  var rows: array<Row, 10>;
  for (var i = 0; i < 10; i++) {
    // A clamped row keeps the loads inside the buffer; what lies outside the image is then replaced by zero.
    let visible = row + i >= 0 && row + i < i32(p.height);
    rows[i] = load((image + u32(clamp(row + i, 0, i32(p.height) - 1))) * p.width, col, visible);
  }
  var d: array<array<vec4f, 6>, 6>;
  for (var i = 0; i < 6; i++) {
    let up = rows[i];
    let low = rows[i + 4];
    d[i] = line(
      vec4f(up.before, up.left.w, low.before, low.left.w),
      vec4f(up.left.x, up.right.x, low.left.x, low.right.x),
      vec4f(up.left.y, up.right.y, low.left.y, low.right.y),
      vec4f(up.left.z, up.right.z, low.left.z, low.right.z),
      vec4f(up.left.w, up.right.w, low.left.w, low.right.w),
      vec4f(up.right.x, up.behind, low.right.x, low.behind),
    );
  }
  let stride = p.channels * p.blocks;
  for (var j = 0u; j < 6u; j++) {
    let r = line(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
    v[t + j * stride] = r[0];
    v[t + (6u + j) * stride] = r[1];
    v[t + (12u + j) * stride] = r[2];
    v[t + (18u + j) * stride] = r[3];
    v[t + (24u + j) * stride] = r[4];
    v[t + (30u + j) * stride] = r[5];
  }
}
