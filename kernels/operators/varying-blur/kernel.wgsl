// A blur that changes over the picture, planes [planes, H, W], as a weighted sum of K true convolutions with kernels h [K, side, side]
// and weights w [K, H, W]; a kernel's entry floor(side / 2) stays in place:
//
//   y = sum over k of h_k * (w_k x)            or, with ADJOINT,   y = sum over k of w_k (h_k correlated with x)
//
// Outside the picture it goes on circularly with CIRCULAR, else it is zero. One invocation, one output, terms in fixed order.
struct Params {
  threads: u32,
  height: u32,
  width: u32,
  count: u32,
  side: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> kernels: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Place in a line, or -1: nowhere.
fn place(i: i32, length: u32) -> i32 {
  let n = i32(length);
  if (CIRCULAR) {
    return (i % n + n) % n;
  }
  return select(-1, i, i >= 0 && i < n);
}

fn each(i: u32) {
  let pixels = p.height * p.width;
  let here = i % pixels;
  let plane = i - here;
  let row = i32(here / p.width);
  let column = i32(here % p.width);
  let middle = i32(p.side / 2u);
  var sum = 0.0;
  for (var k = 0u; k < MANY; k++) {
    if (k >= p.count) {
      break;
    }
    var own = 0.0;
    for (var a = 0u; a < MANY; a++) {
      if (a >= p.side) {
        break;
      }
      // Convolution reads behind, its adjoint ahead.
      let r = place(select(row - i32(a) + middle, row + i32(a) - middle, ADJOINT), p.height);
      for (var b = 0u; b < MANY; b++) {
        if (b >= p.side) {
          break;
        }
        let c = place(select(column - i32(b) + middle, column + i32(b) - middle, ADJOINT), p.width);
        if (r >= 0 && c >= 0) {
          let at = u32(r) * p.width + u32(c);
          let v = kernels[(k * p.side + a) * p.side + b] * x[plane + at];
          if (ADJOINT) {
            own += v;
          } else {
            own += weights[k * pixels + at] * v;
          }
        }
      }
    }
    if (ADJOINT) {
      own *= weights[k * pixels + here];
    }
    sum += own;
  }
  y[i] = sum;
}
