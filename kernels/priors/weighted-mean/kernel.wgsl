// Weighted sums of points: y[r, d] = (0, or what is there) + sum over j of w[r, first + j] points[j, d].
//
//   w [rows, stride]    points [count, dims]    y [rows, dims]
//
// With the weights of a posterior over a data set, its mean; with a single 1, the point. One invocation a value or
// four; sums of 64 terms are added up. Prelude: ADD; F, one value or four, in whose units `dims` counts.
struct Params {
  threads: u32,
  count: u32,
  dims: u32,
  first: u32,
  stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> points: array<F>;
@group(0) @binding(3) var<storage, read_write> y: array<F>;

fn each(i: u32) {
  let row = i / p.dims;
  let d = i % p.dims;
  let weights = row * p.stride + p.first;
  var total = F(0.0);
  for (var turn = 0u; turn < MANY; turn++) {
    let start = 64u * turn;
    if (start >= p.count) {
      break;
    }
    var sum = F(0.0);
    for (var k = 0u; k < 64u; k++) {
      let j = start + k;
      if (j < p.count) {
        let weight = w[weights + j];
        // Most are zero: their points need not be read.
        if (weight != 0.0) {
          sum += weight * points[j * p.dims + d];
        }
      }
    }
    total += sum;
  }
  if (ADD) {
    total += y[i];
  }
  y[i] = total;
}
