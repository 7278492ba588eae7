// Output side of the EDM preconditioning (Karras et al. 2022, eq. 7 and Table 1), d = c_skip x + c_out f
// (kernels/lib/precond.wgsl).
// x, d: f32 [batch, size], f: [batch, size], sigma: f32 [batch], size = channels * pixels. One thread, one element.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<S>;
@group(0) @binding(3) var<storage, read> sigma: array<f32>;
@group(0) @binding(4) var<storage, read_write> d: array<f32>;

fn each(i: u32) {
  let s = sigma[i / p.size];
  d[i] = c_skip(s) * x[i] + c_out(s) * f32(f[i]);
}
