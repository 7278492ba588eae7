// Magnitude-preserving SiLU (EDM2, eq. 81): x sigmoid(x) / 0.596.
// Lane-generic: the prelude says `alias F = f32;` or `alias F = vec4f;` (kernels/lib/lanes.ts).

fn mp_silu(x: F) -> F {
  // exp(-|x|) lies in [0, 1] for every x, so that nothing overflows on the way.
  let e = exp(-abs(x));
  let sigmoid = select(e, F(1.0), x >= F(0.0)) / (F(1.0) + e);
  return x * sigmoid * F(1.0 / 0.596);
}
