// One pass of a fast Walsh-Hadamard transform of radix R = 2, 4, 8 or 16 on rows [rows, length], length a power of two: with `done` =
// product of the radices of the earlier passes, of every R values `done` apart
//
//   y_j = factor * sum over q of (-1)^(number of common one bits of j and q) x_q
//
// After all passes y is the transform by Sylvester's matrix, entry (i, j) = (-1)^(number of common one bits of i and j), in
// natural order. Prelude: RADIX, and `transform(first)`, which does the R values from `first` on.
struct Params {
  threads: u32,
  done: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let first = i / p.done * p.done * RADIX + i % p.done;
  transform(first);
}
