// Output transform of Winograd's F(4x4, 3x3), Y = A^T m A (Lavin & Gray 2016; points in kernels/lib/winograd.ts), with the
// convolution's epilogue (kernels/lib/conv-epilogue.ts).
//
//   m [36][C][columns] f32, columns as written by winograd-input   c [N, stride]   r, y [N, C, H, W]
//
// One invocation: the 4x4 outputs of one tile and channel. No workgroup memory, no barriers.
struct Params {
  channels: u32,
  height: u32,
  width: u32,
  tilesX: u32,
  tilesY: u32,
  tiles: u32,
  columns: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<S>;
@group(0) @binding(4) var<storage, read_write> y: array<S>;

// A^T of one line: sums over the points 0, +-5/8, +-3/2, infinity weighted by their powers 0 to 3.
fn line(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> array<f32, 4> {
  const a = 0.625;
  const b = 1.5;
  let even_a = m1 + m2;
  let odd_a = a * (m1 - m2);
  let even_b = m3 + m4;
  let odd_b = b * (m3 - m4);
  return array<f32, 4>(
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
  if (t >= p.tiles * p.channels) {
    return;
  }
  let column = t % p.tiles;
  let channel = t / p.tiles;
  let n = column / (p.tilesX * p.tilesY);
  let tile = column % (p.tilesX * p.tilesY);
  let row = (tile / p.tilesX) * 4u;
  let col = (tile % p.tilesX) * 4u;

  let stride = p.channels * p.columns;
  var at = channel * p.columns + column;
  var d: array<array<f32, 4>, 6>;
  for (var i = 0u; i < 6u; i++) {
    d[i] = line(
      m[at],
      m[at + stride],
      m[at + 2u * stride],
      m[at + 3u * stride],
      m[at + 4u * stride],
      m[at + 5u * stride],
    );
    at += 6u * stride;
  }
  let image = (n * p.channels + channel) * p.height;
  var factor = 0.0;
  if (EPILOGUE == 1u) {
    factor = c[n * p.scaleStride + p.scaleOffset + channel];
  }
  var out: array<array<f32, 4>, 4>;
  for (var j = 0u; j < 4u; j++) {
    let o = line(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
    out[0][j] = o[0];
    out[1][j] = o[1];
    out[2][j] = o[2];
    out[3][j] = o[3];
  }
  for (var i = 0u; i < 4u; i++) {
    if (row + i < p.height) {
      let base = (image + row + i) * p.width + col;
      for (var j = 0u; j < 4u; j++) {
        if (col + j < p.width) {
          var value = out[i][j];
          if (EPILOGUE == 1u) {
            value = scaled(value, factor);
          } else if (EPILOGUE == 2u) {
            value = summed(value, f32(r[base + j]), p.residual, p.clip);
          }
          y[base + j] = S(value);
        }
      }
    }
  }
}
