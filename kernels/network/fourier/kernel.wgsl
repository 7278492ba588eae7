// Magnitude-preserving Fourier features of the noise level (MPFourier of EDM2, Karras et al. 2024):
//
//   y[n, c] = sqrt(2) cos(v freqs[c] + phases[c]),  v = c_noise = ln(sigma[n]) / 4
//
// The argument reaches many turns, where the rounding of v to f32 alone would show in y: v is an integer multiple of
// 2^-28 here, and the angle an integer of 2^-32 turns. A level outside 1.5e-14 .. 3.5e13, or any input that is not
// finite, gives NaN. One invocation: one value. Needs kernels/lib/math.wgsl.
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
  let level = sigma[i / p.channels];
  let frequency = freqs[i % p.channels];
  let phase = phases[i % p.channels];
  // As integers, 2^-46 <= level < 2^45; zero, negative values, infinity and NaN lie outside.
  let bits = bitcast<u32>(level);
  if (bits < 0x28800000u || bits >= 0x56000000u || !isFinite(frequency) || !isFinite(phase)) {
    y[i] = bitcast<f32>(bits | 0x7fc00000u);
    return;
  }
  // ln in units of 2^-26 is ln / 4 in units of 2^-28; the phase is 1 (2^28 units) times itself.
  let angle = turns(lnQ26(level), frequency) + turns(0x10000000, phase);
  y[i] = 1.4142135623730951 * cosSinTurns(angle).x;
}
