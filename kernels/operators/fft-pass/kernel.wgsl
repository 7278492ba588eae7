// One pass of a Stockham FFT of radix R along one axis of complex data [outer, length, inner] (vec2f = re, im):
// with `done` = product of the radices of the earlier passes, j = 0 .. length/R - 1, k = j mod done,
//
//   v_q = x[j + q length/R] exp(-2 pi i q k / (done R)),   (V_0 .. V_R-1) = DFT_R(v),
//   y[(j div done) done R + k + q done] = V_q
//
// After all passes y is the unnormalised DFT in natural order. INVERSE exchanges re and im on the way in and out, which
// conjugates the exponents. `twiddles` holds exp(-2 pi i t / length), made in float64. The prelude says RADIX (2, 3, 4, 5
// or 8: one invocation makes R outputs) or 0: any radix p.radix, one invocation an output, a sum of p.radix terms.
struct Params {
  threads: u32,
  length: u32,
  inner: u32,
  radix: u32,
  done: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> twiddles: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2f>;

struct Where {
  source: u32, // index of v_0
  sourceStep: u32,
  goal: u32, // index of V_0
  goalStep: u32,
  turn: u32, // twiddle index of q = 1
}

// -i a
fn back(a: vec2f) -> vec2f {
  return vec2f(a.y, -a.x);
}

fn input(at: Where, q: u32) -> vec2f {
  let v = x[at.source + q * at.sourceStep];
  return multiply(select(v, v.yx, INVERSE), twiddles[q * at.turn]);
}

fn output(at: Where, q: u32, v: vec2f) {
  y[at.goal + q * at.goalStep] = select(v, v.yx, INVERSE);
}

fn pass2(at: Where) {
  let a = input(at, 0u);
  let b = input(at, 1u);
  output(at, 0u, a + b);
  output(at, 1u, a - b);
}

fn pass3(at: Where) {
  let a = input(at, 0u);
  let b = input(at, 1u);
  let c = input(at, 2u);
  let middle = a - 0.5 * (b + c);
  let side = 0.8660254037844386 * back(b - c);
  output(at, 0u, a + (b + c));
  output(at, 1u, middle + side);
  output(at, 2u, middle - side);
}

struct Four {
  a: vec2f,
  b: vec2f,
  c: vec2f,
  d: vec2f,
}

fn dft4(a: vec2f, b: vec2f, c: vec2f, d: vec2f) -> Four {
  let even = a + c;
  let odd = b + d;
  let middle = a - c;
  let side = back(b - d);
  return Four(even + odd, middle + side, even - odd, middle - side);
}

fn pass4(at: Where) {
  let v = dft4(input(at, 0u), input(at, 1u), input(at, 2u), input(at, 3u));
  output(at, 0u, v.a);
  output(at, 1u, v.b);
  output(at, 2u, v.c);
  output(at, 3u, v.d);
}

fn pass5(at: Where) {
  let a = input(at, 0u);
  let b = input(at, 1u);
  let c = input(at, 2u);
  let d = input(at, 3u);
  let e = input(at, 4u);
  let outerSum = b + e;
  let innerSum = c + d;
  let outerDifference = back(b - e);
  let innerDifference = back(c - d);
  let m1 = a + 0.30901699437494745 * outerSum - 0.8090169943749475 * innerSum;
  let m2 = a - 0.8090169943749475 * outerSum + 0.30901699437494745 * innerSum;
  let n1 = 0.9510565162951535 * outerDifference + 0.5877852522924731 * innerDifference;
  let n2 = 0.5877852522924731 * outerDifference - 0.9510565162951535 * innerDifference;
  output(at, 0u, a + (outerSum + innerSum));
  output(at, 1u, m1 + n1);
  output(at, 2u, m2 + n2);
  output(at, 3u, m2 - n2);
  output(at, 4u, m1 - n1);
}

fn pass8(at: Where) {
  let even = dft4(input(at, 0u), input(at, 2u), input(at, 4u), input(at, 6u));
  let odd = dft4(input(at, 1u), input(at, 3u), input(at, 5u), input(at, 7u));
  let b = 0.7071067811865476 * (odd.b + back(odd.b));
  let c = back(odd.c);
  let d = 0.7071067811865476 * (back(odd.d) - odd.d);
  output(at, 0u, even.a + odd.a);
  output(at, 1u, even.b + b);
  output(at, 2u, even.c + c);
  output(at, 3u, even.d + d);
  output(at, 4u, even.a - odd.a);
  output(at, 5u, even.b - b);
  output(at, 6u, even.c - c);
  output(at, 7u, even.d - d);
}

// Output q alone: the two exponents together are q' = (turn + q length / radix) steps per term.
fn passAny(at: Where, q: u32) {
  let step = at.turn + q * (p.length / p.radix);
  var sum = vec2f();
  var angle = 0u;
  for (var t = 0u; t < MANY; t++) {
    if (t >= p.radix) {
      break;
    }
    let v = x[at.source + t * at.sourceStep];
    sum += multiply(select(v, v.yx, INVERSE), twiddles[angle]);
    angle += step;
    angle -= select(0u, p.length, angle >= p.length);
  }
  output(at, q, sum);
}

fn each(i: u32) {
  let butterflies = p.length / p.radix;
  let perLine = select(butterflies, p.length, RADIX == 0u);
  let column = i % p.inner;
  let rest = i / p.inner;
  let item = rest % perLine;
  let j = item % butterflies;
  let k = j % p.done;
  let base = (rest / perLine) * p.length * p.inner + column;
  let at = Where(
    base + j * p.inner,
    butterflies * p.inner,
    base + ((j / p.done) * p.done * p.radix + k) * p.inner,
    p.done * p.inner,
    k * (butterflies / p.done),
  );
  if (RADIX == 2u) {
    pass2(at);
  } else if (RADIX == 3u) {
    pass3(at);
  } else if (RADIX == 4u) {
    pass4(at);
  } else if (RADIX == 5u) {
    pass5(at);
  } else if (RADIX == 8u) {
    pass8(at);
  } else {
    passAny(at, item / butterflies);
  }
}
