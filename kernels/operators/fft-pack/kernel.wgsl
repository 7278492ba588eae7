// Real images [planes, height, width] to complex lines [planes, ceil(height / 2), columns]: rows 2r and 2r + 1 become
// the real and the imaginary part of line r (an odd last row has the partner 0), so that one complex FFT transforms two
// real rows. Each row is mapped v -> factor v + offset and stands `left` columns from the left, zeros around it.
struct Params {
  threads: u32,
  height: u32,
  width: u32,
  columns: u32,
  left: u32,
  factor: f32,
  offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let lines = (p.height + 1u) / 2u;
  let column = i % p.columns;
  let line = (i / p.columns) % lines;
  let plane = i / (p.columns * lines);
  var v = vec2f();
  if (column >= p.left && column - p.left < p.width) {
    let first = (plane * p.height + 2u * line) * p.width + (column - p.left);
    v.x = p.factor * x[first] + p.offset;
    if (2u * line + 1u < p.height) {
      v.y = p.factor * x[first + p.width] + p.offset;
    }
  }
  y[i] = v;
}
