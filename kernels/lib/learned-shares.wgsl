// The shares of a and b in mp_sum(a, b, t) (EDM2, eq. 88) with a learned t, clipped to [0, 1] (NCVSD, eq. 32).
fn learned_shares(raw: f32) -> vec2f {
  // A NaN weight must not turn into 0 or 1; infinities are clipped like any other number.
  let is_nan = (bitcast<u32>(raw) & 0x7fffffffu) > 0x7f800000u;
  let t = select(clamp(raw, 0.0, 1.0), raw, is_nan);
  let norm = sqrt((1.0 - t) * (1.0 - t) + t * t);
  return vec2f((1.0 - t) / norm, t / norm);
}
