// The normal distribution in single precision, for draws by quantiles far out in its tails. phi is the density, Q(t) the
// upper tail, R(t) = Q(t) / phi(t) Mills' ratio. Everything that is small is formed as a small number: differences from the
// nearest edge, never of two tails. Needs ln (math.wgsl) and expFine (exp.wgsl).

// Stands for an infinite bound.
const OPEN: f32 = 1e30;

// R(t), t >= 0, within 2.5e-7: (1 + t) R is a polynomial of degree 10 (Chebyshev fit, 1.3e-8) in (t - 3) / (t + 3).
fn mills(t: f32) -> f32 {
  let v = (t - 3.0) / (t + 3.0);
  let high = -0.0569615988 + v * (2.918014236e-3 + v * (7.486091676e-3 + v * (-9.161214309e-4 + v * (-1.187630773e-3
    + v * (8.97722693e-5 + v * 1.494775148e-4)))));
  let low = 1.21836121 + v * (-0.2419566516 + v * (-0.04119046777 + v * (0.1132079175 + v * high)));
  return low / (1.0 + t);
}

// e^-v for v >= 0; past 80 it stays there, so that no product of two such numbers with 1 vanishes.
fn decay(v: f32) -> f32 {
  return expFine(-min(v, 80.0));
}

// ln(1 + v) for -1 < v, exact also for small v.
fn lnOnePlus(v: f32) -> f32 {
  if (v < -0.29 || v > 0.41) {
    return ln(1.0 + v);
  }
  let s = v / (2.0 + v);
  let z = s * s;
  let series = z * (0.66666662693 + z * (0.40000972152 + z * (0.28498786688 + z * 0.24279078841)));
  let half = 0.5 * v * v;
  return v - (half - s * (half + series));
}

// 1 - e^-v for v >= 0, exact also for small v.
fn oneMinusDecay(v: f32) -> f32 {
  if (v > 0.35) {
    return 1.0 - decay(v);
  }
  return v * (1.0 - v * 0.5 * (1.0 - v * 0.33333333 * (1.0 - v * 0.25 * (1.0 - v * 0.2 * (1.0 - v * 0.16666667)))));
}

// ln Q(t)
fn logTail(t: f32) -> f32 {
  let u = abs(t);
  let far = ln(mills(u)) - 0.9189385332 - 0.5 * u * u;
  if (t >= 0.0) {
    return far;
  }
  return lnOnePlus(-decay(-far));
}

// Q(t), and never 0.
fn upperTail(t: f32) -> f32 {
  let u = abs(t);
  let far = decay(0.5 * u * u + 0.9189385332 - ln(mills(u)));
  return select(1.0 - far, far, t >= 0.0);
}

// -ln(Q(from + s) / Q(from)) for from, s >= 0
fn drop(origin: f32, s: f32) -> f32 {
  return s * (origin + 0.5 * s) + ln(mills(origin)) - ln(mills(origin + s));
}

// The s with drop(origin, s) = goal. drop is convex, its slope 1 / R, its curvature at least 2 / pi: the start lies above the
// root, and Newton's steps come down to it.
fn dropInverse(origin: f32, goal: f32) -> f32 {
  let slope = 1.0 / mills(origin);
  var s = 2.0 * goal / (slope + sqrt(slope * slope + 1.2732395 * goal));
  for (var step = 0; step < 4; step++) {
    s = max(0.0, s - (drop(origin, s) - goal) * mills(origin + s));
  }
  return s;
}

// The integral of exp(-edge u - u^2 / 2) over 0 < u < s by three points of Gauss and Legendre, where the exponent stays
// below 1/2.
fn localMass(edge: f32, s: f32) -> f32 {
  let a = 0.1127016654 * s;
  let b = 0.5 * s;
  let c = 0.8872983346 * s;
  let outer = expFine(-a * (edge + 0.5 * a)) + expFine(-c * (edge + 0.5 * c));
  return s * (0.2777777778 * outer + 0.4444444444 * expFine(-b * (edge + 0.5 * b)));
}

fn isNarrow(low: f32, high: f32, width: f32) -> bool {
  return width * max(abs(low), abs(high)) <= 0.5;
}

// ln of the normal probability of [low, high]; width = high - low, given apart because it may be far smaller.
fn logMass(low: f32, high: f32, width: f32) -> f32 {
  if (isNarrow(low, high, width)) {
    return ln(max(localMass(low, width), 1e-37)) - 0.9189385332 - 0.5 * low * low;
  }
  let nearest = max(low, -high);
  if (nearest >= 0.0) {
    return logTail(nearest) + ln(oneMinusDecay(drop(nearest, width)));
  }
  return lnOnePlus(-(upperTail(-low) + upperTail(high)));
}

// The quantile of N(m, d^2) truncated to [a, a + width] at probability p; q = 1 - p, each exact where it is small.
// b = a + width; a = -OPEN or b = OPEN where there is no bound.
fn truncatedQuantile(m: f32, d: f32, a: f32, b: f32, width: f32, p: f32, q: f32) -> f32 {
  let low = clamp((a - m) / d, -1e15, 1e15);
  let high = clamp((b - m) / d, -1e15, 1e15);
  let span = min(width / d, 1e15);
  if (isNarrow(low, high, span)) {
    let fromLow = p <= q;
    let edge = select(-high, low, fromLow);
    let goal = min(p, q) * localMass(edge, span);
    var s = min(p, q) * span;
    for (var step = 0; step < 3; step++) {
      s -= (localMass(edge, s) - goal) * expFine(s * (edge + 0.5 * s));
    }
    s = clamp(s, 0.0, span);
    return clamp(select(b - d * s, a + d * s, fromLow), a, b);
  }
  if (low >= 0.0 || high <= 0.0) {
    let rising = low >= 0.0;
    let nearest = select(-high, low, rising);
    let near = select(q, p, rising);
    let far = select(p, q, rising);
    let whole = drop(nearest, span);
    var goal = 0.0;
    if (near <= 0.5) {
      goal = -lnOnePlus(-near * oneMinusDecay(whole));
    } else {
      goal = -ln(far + near * decay(whole));
    }
    let s = dropInverse(nearest, goal);
    return clamp(select(b - d * s, a + d * s, rising), a, b);
  }
  let below = p * upperTail(-high) + q * upperTail(-low);
  let above = p * upperTail(high) + q * upperTail(low);
  let t = dropInverse(0.0, -ln(min(1.0, 2.0 * min(below, above))));
  return clamp(m + d * select(t, -t, below < above), a, b);
}
