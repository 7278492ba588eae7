// Clipping that lets NaN and infinities through, so that the finite check at the end of a step sees them:
// clamp(NaN, -b, b) may be -b, and `x != x` may be optimised away, hence the test of the bits.
// Lane-generic: the prelude says `alias F = f32; alias U = u32;` or `alias F = vec4f; alias U = vec4u;`
// (kernels/lib/lanes.ts).

fn clip_finite(v: F, bound: f32) -> F {
  let non_finite = (bitcast<U>(v) & U(0x7f800000u)) == U(0x7f800000u);
  return select(clamp(v, F(-bound), F(bound)), v, non_finite);
}
