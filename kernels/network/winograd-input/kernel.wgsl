// Input transform of Winograd's F(m x m, 3x3), v = B^T d B, m = 2 or 4 (Lavin & Gray 2016; points, constants and the order
// of the columns in kernels/lib/winograd.ts).
//
//   x [N, C, H, W]   v [panels][C][(m + 2)^2][panel columns] f32
//
// One invocation: the four patches of a block of 2m x 2m of one channel, one component of a vec4 each: rows 2m qy - 1 to
// 2m qy + 2m and as many columns, zero outside the image. The rest is in tile2.wgsl and tile4.wgsl, one of them in front of
// this text. No workgroup memory, no barriers.
struct Params {
  channels: u32,
  height: u32,
  width: u32,
  blocksX: u32,
  blocksY: u32,
  // The first block of v and how many it holds.
  firstBlock: u32,
  blocks: u32,
  // Binary logarithm of the blocks of a panel.
  panelShift: u32,
  // m + 2.
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let step = 1u << p.panelShift;
  let lane = t & (step - 1u);
  let channel = (t >> p.panelShift) % p.channels;
  let panel = (t >> p.panelShift) / p.channels;
  let place = (panel << p.panelShift) + lane;
  // Blocks past the last fill their panel with zeros.
  if ((panel << p.panelShift) >= p.blocks) {
    return;
  }
  let which = p.firstBlock + place;
  let blockRow = which / p.blocksX;
  let n = blockRow / p.blocksY;
  let qy = blockRow % p.blocksY;
  let qx = which % p.blocksX;
  let row = i32(qy * 2u * TILE) - 1;
  let col = qx * 2u * TILE;
  let real = place < p.blocks;
  let image = (select(0u, n, real) * p.channels + channel) * p.height;
  transform(image, row, col, real, (panel * p.channels + channel) * (TILE + 2u) * (TILE + 2u) * step + lane, step);
}
