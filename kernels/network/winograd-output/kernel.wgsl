// Output transform of Winograd's F(t x t, 3x3), Y = A^T m A, t = 2 or 4 (Lavin & Gray 2016; points and the order of the
// columns in kernels/lib/winograd.ts), with the convolution's epilogue (kernels/lib/conv-epilogue.ts).
//
//   m [panels][C][(t + 2)^2][panel columns] f32, laid out as by winograd-input   c [N, stride]   r, y [N, C, H, W]
//
// In front of this text, on software adapters: four.wgsl and tile2.wgsl or tile4.wgsl, an invocation for the four tiles of a
// block of one channel, the components of a vec4; elsewhere one.wgsl and one2.wgsl or one4.wgsl, one for each tile. D is what
// m holds. No workgroup memory, no barriers.
struct Params {
  threads: u32,
  // Of m; of c, r and y they are those from firstChannel on, of ofChannels.
  channels: u32,
  firstChannel: u32,
  ofChannels: u32,
  height: u32,
  width: u32,
  blocksX: u32,
  blocksY: u32,
  // The first block of m and how many it holds.
  firstBlock: u32,
  blocks: u32,
  // Binary logarithm of the blocks of a panel.
  panelShift: u32,
  // t + 2.
  lines: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> m: array<D>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;
