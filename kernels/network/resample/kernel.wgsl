// Resampling by 2 with a separable filter, channel by channel, zeros outside the image (EDM2, `resample`).
// With the filter f of even length L, f already divided by its sum, and pad = L/2 - 1, per axis:
//   down: y[i] = sum over j of f[j] x[2 i + j - pad]
//   up:   y[q] = 2 sum over i of f[q + pad - 2 i] x[i]          (the host folds the 2 into f)
// x: [planes, height, width], y: [planes, out_height, out_width], planes = batch * channels. The loops are in
// elements.wgsl and, for the filter [1, 1] on rows of whole quads, quads.wgsl, one of them in front of this text.
// With SILU also s = mp_silu(y), of y as it is stored. In front of this text: kernels/lib/mp-silu-loaded.wgsl.
// Prelude: UP; SILU; BOX for the filter [1, 1], i.e. the 2x2 mean and the nearest neighbour; V, load, store
// (kernels/lib/lanes.ts).

struct Params {
  planes: u32,
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  taps: u32,
  filter_taps: array<vec4f, 16>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;
@group(0) @binding(3) var<storage, read_write> s: array<V>;
