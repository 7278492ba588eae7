// The orthonormal DCT-II of blocks of 8 x 8 of images [planes, height, width], in place of the pixels, or its INVERSE:
//
//   y = D x D'     (inverse: D' x D),     D[k, i] = c[k] cos((2 i + 1) k pi / 16),  c[0] = sqrt(1/8), else 1/2
//
// The table holds D, row by row. One invocation, one value: 64 products.
struct Params {
  threads: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let column = i % p.width;
  let row = i / p.width;
  let k = row % 8u;
  let l = column % 8u;
  let corner = (row - k) * p.width + (column - l);
  var sum = 0.0;
  for (var a = 0u; a < 8u; a++) {
    var line = 0.0;
    for (var b = 0u; b < 8u; b++) {
      line += table[select(l * 8u + b, b * 8u + l, INVERSE)] * x[corner + a * p.width + b];
    }
    sum += table[select(k * 8u + a, a * 8u + k, INVERSE)] * line;
  }
  y[i] = sum;
}
