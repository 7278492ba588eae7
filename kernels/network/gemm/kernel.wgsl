// Batched matrix product with shared or separate weights: the 1x1 convolution (a product per image, one weight) and the
// products of Winograd's F(4x4, 3x3) and F(2x2, 3x3), 36 and 16 of them (one weight per product).
//
//   x [images][depth][groups][columns]   y [images][rows][groups][columns]
//   w [groups][ceil(rows / 8)][packed depth][8], zero padded; packed depth = depth rounded up to even
//   y[i, :, g] = w[g] x[i, :, g]; the epilogue of kernels/lib/conv-epilogue.ts on y, with image = i, channel = row.
//
// columns is a multiple of 4: everything is read and written in quads of neighbours. Every element sums k in ascending
// order whatever its place in a tile, all in one or in parts, which are added in order. The loops are in subgroup.ts,
// plain.wgsl and tiled.ts, one of them in front of this text: for adapters with subgroups of one size and no fast workgroup
// memory, for other software, for GPUs.
struct Params {
  groups: u32,
  images: u32,
  rows: u32,
  depth: u32,
  packedDepth: u32,
  quads: u32,
  // Quads of all images that are asked for, the first ones.
  live: u32,
  // k of a part of the sum, in loops that are no tiles.
  part: u32,
  scaleOffset: u32,
  scaleStride: u32,
  residual: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<X4>;
@group(0) @binding(2) var<storage, read> w: array<W4>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<vec4<X>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<X>>;

// Stores one row of one quad; `at` is its index in y.
fn put(at: u32, acc: vec4f, image: u32, row: u32) {
  if (EPILOGUE == 1u) {
    y[at] = vec4<X>(scaled(acc, c[image * p.scaleStride + p.scaleOffset + row]));
  } else if (EPILOGUE == 2u) {
    y[at] = vec4<X>(summed(acc, vec4f(r[at]), p.residual, p.clip));
  } else {
    y[at] = vec4<X>(acc);
  }
}
