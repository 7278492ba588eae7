// e^x within 1.5e-7 of the value relatively for -87 < x < 88: WGSL's own exp may be off by 2 |x| + 3 last places.
fn expFine(x: f32) -> f32 {
  let k = round(x * 1.4426950408889634);
  // ln 2 in two parts, the first with so few digits that k times it is exact.
  let r = (x - k * 0.693145751953125) - k * 1.428606820309417e-6;
  let series = 0.5 + r * (0.16666667 + r * (0.041666668 + r * (0.008333334 + r * (0.0013888889 + r * 1.9841270e-4))));
  return ldexp(1.0 + (r + r * r * series), i32(k));
}
