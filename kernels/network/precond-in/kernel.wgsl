// Input side of the EDM preconditioning (Karras et al. 2022, Table 1) and the constant channel of EDM2:
//   y[n, c] = x[n, c] / sqrt(sigma[n]^2 + sigma_data^2) for c < channels,   y[n, channels] = 1
// x: f32 [batch, channels, pixels], sigma: f32 [batch], y: [batch, channels + 1, pixels]. One thread, one element of y.

struct Params {
  batch: u32,
  channels: u32,
  pixels: u32,
  sigma_data: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<S>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  let size_in = p.channels * p.pixels;
  let size_out = size_in + p.pixels;
  if (i >= p.batch * size_out) {
    return;
  }
  let n = i / size_out;
  let k = i - n * size_out;
  if (k < size_in) {
    let s = sigma[n];
    y[i] = S(x[n * size_in + k] / sqrt(s * s + p.sigma_data * p.sigma_data));
  } else {
    y[i] = S(1.0);
  }
}
