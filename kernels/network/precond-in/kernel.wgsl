// Input side of the EDM preconditioning (Karras et al. 2022, Table 1) and the constant channel of EDM2:
//   y[n, c] = x[n, c] / sqrt(sigma[n]^2 + sigma_data^2) for c < channels,   y[n, channels] = 1
// x: f32 [batch, channels, pixels], sigma: f32 [batch], y: [batch, channels + 1, pixels]. One thread, one element of y.

struct Params {
  threads: u32,
  channels: u32,
  pixels: u32,
  sigmaData: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<S>;

fn each(i: u32) {
  let size_in = p.channels * p.pixels;
  let size_out = size_in + p.pixels;
  let n = i / size_out;
  let k = i - n * size_out;
  if (k < size_in) {
    let s = sigma[n];
    y[i] = S(x[n * size_in + k] / sqrt(s * s + p.sigmaData * p.sigmaData));
  } else {
    y[i] = S(1.0);
  }
}
