// Input transform of Winograd's F(m x m, 3x3), v = B^T d B, m = 2 or 4 (Lavin & Gray 2016; points, constants and the order
// of the columns in kernels/lib/winograd.ts).
//
//   x [N, C, H, W]   v [panels][C][(m + 2)^2][panel columns] f32
//
// The four patches of a block of 2m x 2m of one channel are rows 2m qy - 1 to 2m qy + 2m and as many columns, zero outside the
// image. In front of this text, on software adapters: four.wgsl and tile2.wgsl or tile4.wgsl, a block for each invocation;
// elsewhere one.wgsl and one2.wgsl or one4.wgsl, a patch for each. D is what v holds. No workgroup memory, no barriers.
struct Params {
  threads: u32,
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
@group(0) @binding(2) var<storage, read_write> v: array<D>;
