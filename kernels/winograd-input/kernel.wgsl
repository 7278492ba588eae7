// Input transform of Winograd's F(4x4, 3x3), v = B^T d B (Lavin & Gray 2016; points and constants in kernels/lib/winograd.ts).
//
//   x [N, C, H, W]   v [36][C][columns] f32; column n * tilesY * tilesX + ty * tilesX + tx, those past the last tile are zero
//
// Tile (ty, tx) reads the 6x6 patch from row 4 ty - 1 and column 4 tx - 1, zero outside the image.
// One invocation: one patch of one channel. No workgroup memory, no barriers.
struct Params {
  channels: u32,
  height: u32,
  width: u32,
  tilesX: u32,
  tilesY: u32,
  tiles: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;

// B^T of one line, points 0, +-a, +-b, infinity with a = 5/8, b = 3/2.
fn line(d0: f32, d1: f32, d2: f32, d3: f32, d4: f32, d5: f32) -> array<f32, 6> {
  const a = 0.625;
  const b = 1.5;
  const aa = a * a;
  const bb = b * b;
  let even_a = d4 - bb * d2;
  let odd_a = a * (d3 - bb * d1);
  let even_b = d4 - aa * d2;
  let odd_b = b * (d3 - aa * d1);
  return array<f32, 6>(
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
  if (t >= p.columns * p.channels) {
    return;
  }
  let column = t % p.columns;
  let channel = t / p.columns;
  let n = column / (p.tilesX * p.tilesY);
  let tile = column % (p.tilesX * p.tilesY);
  let row = i32(tile / p.tilesX) * 4 - 1;
  let col = i32(tile % p.tilesX) * 4 - 1;
  let inside = column < p.tiles;
  // Clamped indices keep every load inside the buffer; what lies outside the image is then replaced by zero.
  let image = (select(0u, n, inside) * p.channels + channel) * p.height;
  var cols: array<u32, 6>;
  var seen: array<bool, 6>;
  for (var j = 0; j < 6; j++) {
    cols[j] = u32(clamp(col + j, 0, i32(p.width) - 1));
    seen[j] = inside && col + j >= 0 && col + j < i32(p.width);
  }
  var d: array<array<f32, 6>, 6>;
  for (var i = 0; i < 6; i++) {
    let base = (image + u32(clamp(row + i, 0, i32(p.height) - 1))) * p.width;
    let visible = row + i >= 0 && row + i < i32(p.height);
    d[i] = line(
      select(0.0, f32(x[base + cols[0]]), visible && seen[0]),
      select(0.0, f32(x[base + cols[1]]), visible && seen[1]),
      select(0.0, f32(x[base + cols[2]]), visible && seen[2]),
      select(0.0, f32(x[base + cols[3]]), visible && seen[3]),
      select(0.0, f32(x[base + cols[4]]), visible && seen[4]),
      select(0.0, f32(x[base + cols[5]]), visible && seen[5]),
    );
  }
  let stride = p.channels * p.columns;
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
