// Pixel norm over the channels of planar images (EDM2, `normalize` with eps = 1e-4), with mp_silu of the result if
// asked for.
//   y[n,c,p] = x[n,c,p] / (1e-4 + sqrt(mean over c of x[n,c,p]^2)),   s = mp_silu(y)
// x, y, s: [batch, channels, pixels]; `pixels` counts in units of F, 1 or 4 neighbours.
// In front of this text: kernels/lib/pixel-norm.wgsl, V, F, load, store (kernels/lib/lanes.ts), SILU; walk.wgsl on software
// adapters, slices.wgsl elsewhere.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;
@group(0) @binding(3) var<storage, read_write> s: array<V>;
