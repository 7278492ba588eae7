// Output transform of Winograd's F(t x t, 3x3), Y = A^T m A, t = 2 or 4 (Lavin & Gray 2016; points and the order of the
// columns in kernels/lib/winograd.ts), with the convolution's epilogue (kernels/lib/conv-epilogue.ts).
//
//   m [panels][C][(t + 2)^2][panel columns] f32, laid out as by winograd-input   c [N, stride]   r, y [N, C, H, W]
//
// One invocation: the 2t x 2t outputs of one block and channel; its four tiles are the components of a vec4. The rest is
// in tile2.wgsl and tile4.wgsl, one of them in front of this text. No workgroup memory, no barriers.
struct Params {
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
@group(0) @binding(1) var<storage, read> m: array<vec4f>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

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
  if (place >= p.blocks) {
    return;
  }
  let which = p.firstBlock + place;
  let blockRow = which / p.blocksX;
  let n = blockRow / p.blocksY;
  let qy = blockRow % p.blocksY;
  let qx = which % p.blocksX;
  let row = qy * 2u * TILE;
  let col = qx * 2u * TILE;
  var factor = 0.0;
  if (EPILOGUE == 1u) {
    factor = c[n * p.scaleStride + p.scaleOffset + p.firstChannel + channel];
  }
  let image = (n * p.ofChannels + p.firstChannel + channel) * p.height;
  transform((panel * p.channels + channel) * (TILE + 2u) * (TILE + 2u) * step + lane, step, image, row, col, factor);
}
