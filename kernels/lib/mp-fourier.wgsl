// A magnitude-preserving Fourier feature of a noise level (MPFourier of EDM2, Karras et al. 2024):
//
//   sqrt(2) cos(v frequency + phase),  v = c_noise = ln(level) / 4
//
// The argument reaches many turns, where the rounding of v to f32 alone would show in the result: v is an integer multiple of
// 2^-28 here, and the angle an integer of 2^-32 turns. A level outside 1.5e-14 .. 3.5e13, or any input that is not
// finite, gives NaN. Needs kernels/lib/math.wgsl.
fn mp_fourier(level: f32, frequency: f32, phase: f32) -> f32 {
  // As integers, 2^-46 <= level < 2^45; zero, negative values, infinity and NaN lie outside.
  let bits = bitcast<u32>(level);
  if (bits < 0x28800000u || bits >= 0x56000000u || !isFinite(frequency) || !isFinite(phase)) {
    return bitcast<f32>(bits | 0x7fc00000u);
  }
  // ln in units of 2^-26 is ln / 4 in units of 2^-28; the phase is 1 (2^28 units) times itself.
  let angle = turns(lnQ26(level), frequency) + turns(0x10000000, phase);
  return 1.4142135623730951 * cosSinTurns(angle).x;
}
