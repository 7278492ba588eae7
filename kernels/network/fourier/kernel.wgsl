// Magnitude-preserving Fourier features of the noise level (MPFourier of EDM2, Karras et al. 2024):
//
//   y[n, c] = sqrt(2) cos(v freqs[c] + phases[c]),  v = c_noise = ln(sigma[n]) / 4
//
// One invocation: one value. In front of this text: kernels/lib/math.wgsl, mp-fourier.wgsl.
struct Params {
  threads: u32,
  channels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sigma: array<f32>;
@group(0) @binding(2) var<storage, read> freqs: array<f32>;
@group(0) @binding(3) var<storage, read> phases: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = mp_fourier(sigma[i / p.channels], freqs[i % p.channels], phases[i % p.channels]);
}
