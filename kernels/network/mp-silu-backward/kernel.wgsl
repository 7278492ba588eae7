// Gradient of the magnitude-preserving SiLU (EDM2, eq. 81), elementwise: dx = g mp_silu'(x).
// Prelude: V, F, load, store (kernels/lib/lanes.ts).
struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> g: array<V>;
@group(0) @binding(3) var<storage, read_write> dx: array<V>;

fn each(i: u32) {
  dx[i] = store(load(g[i]) * mp_silu_slope(load(x[i])));
}
