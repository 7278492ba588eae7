// Gradients of the denoiser's output D = c_skip x + c_out F (kernels/lib/precond.wgsl): df = c_out g, dx = c_skip g.
// g, dx: [batch, size] f32, sigma: [batch] f32, df: [batch, size] act. Prelude: INPUT (dx is asked for).

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> df: array<S>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn each(i: u32) {
  let s = sigma[i / p.size];
  df[i] = S(c_out(s) * g[i]);
  if (INPUT) {
    dx[i] = c_skip(s) * g[i];
  }
}
