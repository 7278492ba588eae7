// Derivative of the magnitude-preserving SiLU (EDM2, eq. 81): (p + x p (1 - p)) / 0.596 with p = sigmoid(x).
// Lane-generic: the prelude says `alias F = f32;` or `alias F = vec4f;` (kernels/lib/lanes.ts).
fn mp_silu_slope(x: F) -> F {
  // exp(-|x|) lies in [0, 1] for every x, so that nothing overflows on the way; x e goes to 0.
  let e = exp(-abs(x));
  let r = F(1.0) / (F(1.0) + e);
  let p = select(e, F(1.0), x >= F(0.0)) * r;
  return (p + x * e * r * r) * F(1.0 / 0.596);
}
