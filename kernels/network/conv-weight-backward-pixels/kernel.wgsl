// Pixels with their channels side by side, and those of a 3x3 window around each: operands of a weight gradient's products.
//
//   x [N, C, H, W]   v [panels][octets of C][taps][16 pixels][8 channels] f32 (kernels/lib/channel-operand.ts)
//
// Tap (i, j) of a pixel is the pixel i - 1 rows below and j - 1 columns right of it, zero outside the image. The
// rest is in quads.wgsl and window.wgsl, one of them in front of this text.
struct Params {
  threads: u32,
  channels: u32,
  octets: u32,
  height: u32,
  width: u32,
  // The first pixel of v and how many it holds.
  first: u32,
  places: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;

