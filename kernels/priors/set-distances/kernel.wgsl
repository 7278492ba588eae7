// Squared distances of rows to points, or products with what the points differ by from a centre:
//
//   squares[r, first + j] = sum over d of (x[r, d] - points[j, d])^2
//   PRODUCT:                sum over d of x[r, d] (points[j, d] - centre[r, d])
//
//   x, centre [rows, dims]    points [count, dims]    squares [rows, stride], columns first .. first + count - 1 are written
//
// The exponents of the posterior over a data set, -|x - x_j|^2 / (2 sigma^2). The difference is taken before it is squared:
// |x|^2 - 2 x.x_j + |x_j|^2 would be off by 1e-7 |x|^2. One invocation a pair; sums of 16 terms are added up, so that rounding
// stays small. Prelude: PRODUCT; F, one value or four, in whose units `dims` counts, and across(v), the sum over them.
struct Params {
  threads: u32,
  count: u32,
  dims: u32,
  first: u32,
  stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<F>;
@group(0) @binding(2) var<storage, read> points: array<F>;
@group(0) @binding(3) var<storage, read> centre: array<F>;
@group(0) @binding(4) var<storage, read_write> squares: array<f32>;

fn each(i: u32) {
  let row = i / p.count;
  let j = i % p.count;
  let a = row * p.dims;
  let b = j * p.dims;
  var total = F(0.0);
  for (var turn = 0u; turn < MANY; turn++) {
    let start = 16u * turn;
    if (start >= p.dims) {
      break;
    }
    var sum = F(0.0);
    for (var k = 0u; k < 16u; k++) {
      let d = start + k;
      if (d < p.dims) {
        if (PRODUCT) {
          sum += x[a + d] * (points[b + d] - centre[a + d]);
        } else {
          let difference = x[a + d] - points[b + d];
          sum += difference * difference;
        }
      }
    }
    total += sum;
  }
  squares[row * p.stride + p.first + j] = across(total);
}
