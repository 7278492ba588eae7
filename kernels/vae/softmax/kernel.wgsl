// Softmax down the columns: y[r, c] = exp(x[r, c] - max) / sum, over the rows r of every column c.
//
//   x, y [images, rows, columns]
//
// One invocation: one column, or four of them (kernels/lib/lanes.ts; `columns` counts in units of F). Three passes.
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

fn each(i: u32) {
  let first = (i / p.columns) * p.rows * p.columns + i % p.columns;
  var top = load(x[first]);
  for (var r = 1u; r < MANY; r++) {
    if (r >= p.rows) {
      break;
    }
    top = max(top, load(x[first + r * p.columns]));
  }
  var sum = F(0.0);
  for (var r = 0u; r < MANY; r++) {
    if (r >= p.rows) {
      break;
    }
    sum += exp(load(x[first + r * p.columns]) - top);
  }
  let scale = F(1.0) / sum;
  for (var r = 0u; r < MANY; r++) {
    if (r >= p.rows) {
      break;
    }
    y[first + r * p.columns] = store(exp(load(x[first + r * p.columns]) - top) * scale);
  }
}
