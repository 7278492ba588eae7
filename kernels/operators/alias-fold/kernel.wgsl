// A circular convolution followed by keeping every f-th row and column, in the frequency domain: half spectra [planes, H, W / 2 + 1] of
// pictures to half spectra [planes, h, w / 2 + 1] of measurements, h = H / f, w = W / f. With the transfer function t,
//
//   (A x)(k) = 1 / f^2 sum over the f^2 frequencies k' = k mod (h, w) of t(k') x(k')
//
// or, with DRAW, the inner part of the exact likelihood step of it, level = [s, rho], `squares` the eigenvalues of A A', the mean
// of |t|^2 over the same frequencies (see kernels/operators/gram-step):
//
//   v = M (measured - A x) + g A z
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  factor: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> z: array<vec2f>;
@group(0) @binding(3) var<storage, read> transfer: array<vec2f>;
@group(0) @binding(4) var<storage, read> measured: array<vec2f>;
@group(0) @binding(5) var<storage, read> squares: array<f32>;
@group(0) @binding(6) var<storage, read> level: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let half = p.columns / 2u + 1u;
  let h = p.rows / p.factor;
  let w = p.columns / p.factor;
  let smallHalf = w / 2u + 1u;
  let column = i % smallHalf;
  let row = (i / smallHalf) % h;
  let plane = i / (smallHalf * h) * p.rows * half;
  var ax = vec2f();
  var az = vec2f();
  for (var down = 0u; down < MANY; down++) {
    if (down >= p.factor) {
      break;
    }
    let r = row + down * h;
    for (var right = 0u; right < MANY; right++) {
      if (right >= p.factor) {
        break;
      }
      let c = column + right * w;
      // Past the middle: the conjugate of what stands at minus the frequency.
      let mirrored = c > p.columns / 2u;
      let at = select(r * half + c, (p.rows - r) % p.rows * half + p.columns - c, mirrored);
      let sign = vec2f(1.0, select(1.0, -1.0, mirrored));
      let t = transfer[at];
      ax += sign * multiply(t, x[plane + at]);
      if (DRAW) {
        az += sign * multiply(t, z[plane + at]);
      }
    }
  }
  let mean = 1.0 / f32(p.factor * p.factor);
  if (DRAW) {
    let ratio = level[1] / level[0];
    let spread = 1.0 + ratio * ratio * squares[i % (smallHalf * h)];
    let q = sqrt(spread);
    let g = level[1] * ratio * ratio / (q * (1.0 + q));
    y[i] = ratio * ratio / spread * (measured[i] - mean * ax) - g * mean * az;
  } else {
    y[i] = mean * ax;
  }
}
