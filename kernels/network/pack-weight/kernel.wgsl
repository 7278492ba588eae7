// A weight [outChannels, inChannels, taps] in the layout that a matrix kernel reads, as it stands or, for the gradient of the
// layer's input, transposed: rows are input channels then, and filters are flipped.
//   groups of eight rows: [ceil(rows / 8)][depth][8]   rows of whole quads: [rows][depth]      zero padded
// What is packed is the weight times `scale` of its output channel, where there is one.
// `each` is in quads.wgsl or, for whole tiles of four by four, in tiles.wgsl, one of them in front of this text.
// Prelude: TRANSPOSED, GROUPS, SCALED, W, P4, packed.
struct Params {
  threads: u32,
  out_channels: u32,
  in_channels: u32,
  taps: u32,
  depth: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<W>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<P4>;
