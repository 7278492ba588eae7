// Matrix product of activations, one per image: y [M, N] = scale * op(a) b with b [K, N] and a [M, K], or [K, M] where
// TRANSPOSED. Rows are multiples of four, so that all is read in quads. The loops are in subgroup.ts, plain.wgsl and
// tiled.wgsl, one of them in front of this text: for adapters with subgroups of 8 and no fast workgroup memory, for other
// software, for GPUs.
struct Params {
  images: u32,
  m: u32,
  k: u32,
  n: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<S>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<S>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<S>>;
