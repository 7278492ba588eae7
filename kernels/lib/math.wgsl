// Elementary functions that are exact enough for a network's noise embedding and for random numbers on every driver.
// WGSL's own log, cos and sin are not: cos may be off by 2^-11 and only within one turn. Angles are kept as 32-bit
// integers that count 2^-32 turns: they wrap by themselves, and no compiler may reorder integer arithmetic.

const INV_2PI_Q34: u32 = 2734261102u;

// a * b as (low word, high word).
fn mulWide(a: u32, b: u32) -> vec2u {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let lh = al * bh;
  let hl = ah * bl;
  let middle = ((al * bl) >> 16u) + (lh & 0xffffu) + (hl & 0xffffu);
  return vec2u(a * b, ah * bh + (lh >> 16u) + (hl >> 16u) + (middle >> 16u));
}

// The low word of v * 2^-s.
fn shiftWide(v: vec2u, s: i32) -> u32 {
  if (s <= -32 || s >= 64) {
    return 0u;
  }
  if (s <= 0) {
    return v.x << u32(-s);
  }
  if (s < 32) {
    return (v.x >> u32(s)) | (v.y << u32(32 - s));
  }
  return v.y >> u32(s - 32);
}

// ln(x) = k ln 2 + f - rest with f exact; x positive and normal, 2^k (1 + f) = x, |f| < 0.4143 (fdlibm's e_logf).
struct LnParts {
  k: i32,
  f: f32,
  rest: f32,
}

fn lnParts(x: f32) -> LnParts {
  let bits = bitcast<u32>(x) + (0x3f800000u - 0x3f3504f3u);
  let f = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let series = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  return LnParts(i32(bits >> 23u) - 127, f, half - s * (half + series));
}

// ln(x), within 1e-7 of the value relatively, x positive and normal.
fn ln(x: f32) -> f32 {
  let parts = lnParts(x);
  let k = f32(parts.k);
  return ((k * 9.0580006145e-6 - parts.rest) + parts.f) + k * 0.69313812256;
}

// ln(x) in units of 2^-26, within 1.5 units, for 2^-46 <= x < 2^45 (no overflow); an f32 could not hold it.
fn lnQ26(x: f32) -> i32 {
  let parts = lnParts(x);
  // ln 2 = 46516319.87218 units; f is a multiple of 2^-24.
  let correction = parts.rest * 67108864.0 + f32(parts.k) * 0.12782;
  return parts.k * 46516320 + i32(parts.f * 67108864.0) - i32(round(correction));
}

// q * 2^-28 * w radians as an angle in turns of 2^-32, w normal or zero. Exact but for the last few units.
fn turns(q: i32, w: f32) -> u32 {
  let bits = bitcast<u32>(w);
  let exponent = i32((bits >> 23u) & 255u);
  if (exponent == 0) {
    return 0u;
  }
  let perTurn = mulWide(((bits & 0x007fffffu) | 0x00800000u) << 8u, INV_2PI_Q34).y;
  let magnitude = shiftWide(mulWide(u32(abs(q)), perTurn), 156 - exponent);
  return select(magnitude, 0u - magnitude, (q < 0) != ((bits >> 31u) == 1u));
}

// (cos, sin) of an angle of 2^-32 turns, within 1.2e-7 (Cephes' polynomials on an eighth of a turn).
fn cosSinTurns(angle: u32) -> vec2f {
  let quadrant = (angle + 0x20000000u) >> 30u;
  let x = f32(bitcast<i32>(angle - (quadrant << 30u))) * 1.4629180792671596e-9;
  let z = x * x;
  let s = x + x * z * (z * (z * -1.9515295891e-4 + 8.3321608736e-3) - 1.6666654611e-1);
  let c = 1.0 - 0.5 * z + z * z * (z * (z * 2.443315711809948e-5 - 1.388731625493765e-3) + 4.166664568298827e-2);
  let swapped = select(vec2f(c, s), vec2f(s, c), (quadrant & 1u) == 1u);
  return select(swapped, -swapped, vec2<bool>(quadrant == 1u || quadrant == 2u, quadrant >= 2u));
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
