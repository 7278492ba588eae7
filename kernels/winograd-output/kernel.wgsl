// Output transform of Winograd's F(4x4, 3x3), Y = A^T m A (Lavin & Gray 2016; points and the order of the columns in
// kernels/lib/winograd.ts), with the convolution's epilogue (kernels/lib/conv-epilogue.ts).
//
//   m [36][C][columns] f32, columns as written by winograd-input   c [N, stride]   r, y [N, C, H, W]
//
// One invocation: the 8x8 outputs of one block and channel; its four tiles are the components of a vec4. No workgroup
// memory, no barriers.
struct Params {
  channels: u32,
  height: u32,
  width: u32,
  blocksX: u32,
  blocksY: u32,
  blocks: u32,
  // Six.
  lines: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

alias Line = array<vec4f, 4>;

// A^T of one line of all four tiles: sums over the points 0, +-5/8, +-3/2, infinity weighted by their powers 0 to 3.
fn line(m0: vec4f, m1: vec4f, m2: vec4f, m3: vec4f, m4: vec4f, m5: vec4f) -> Line {
  const a = 0.625;
  const b = 1.5;
  let even_a = m1 + m2;
  let odd_a = a * (m1 - m2);
  let even_b = m3 + m4;
  let odd_b = b * (m3 - m4);
  return Line(
    m0 + even_a + even_b,
    odd_a + odd_b,
    (a * a) * even_a + (b * b) * even_b,
    (a * a) * odd_a + (b * b) * odd_b + m5,
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
  let place = t % p.blocks;
  let channel = t / p.blocks;
  let blockRow = place / p.blocksX;
  let n = blockRow / p.blocksY;
  let qy = blockRow % p.blocksY;
  let qx = place % p.blocksX;
  let row = qy * 8u;
  let col = qx * 8u;

  // Both loops move the lines along instead of indexing them, and take their length from the uniform, so that they stay
  // loops: unrolled, they cost software adapters seconds of compilation.
  let stride = p.channels * p.blocks;
  var at = t;
  var d: array<Line, 6>;
  for (var i = 0u; i < p.lines; i++) {
    d[0] = d[1];
    d[1] = d[2];
    d[2] = d[3];
    d[3] = d[4];
    d[4] = d[5];
    d[5] = line(
      m[at],
      m[at + stride],
      m[at + 2u * stride],
      m[at + 3u * stride],
      m[at + 4u * stride],
      m[at + 5u * stride],
    );
    at += 6u * stride;
  }
  var factor = 0.0;
  if (EPILOGUE == 1u) {
    factor = c[n * p.scaleStride + p.scaleOffset + channel];
  }
  var out: array<Line, 4>;
  for (var j = 0u; j < 4u; j++) {
    let o = line(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
    out[0][j] = o[0];
    out[1][j] = o[1];
    out[2][j] = o[2];
    out[3][j] = o[3];
  }
  let image = (n * p.channels + channel) * p.height;
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
