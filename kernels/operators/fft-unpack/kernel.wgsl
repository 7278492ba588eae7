// The end of an inverse real 2-D FFT: from complex lines [planes, ceil(height / 2), columns], whose parts are rows 2r
// and 2r + 1, to images [planes, height, width], cut out `left` columns from the left:
//
//   y = factor * part            or, with BASE,   y = base + factor * part
struct Params {
  threads: u32,
  height: u32,
  width: u32,
  columns: u32,
  left: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let column = i % p.width;
  let row = (i / p.width) % p.height;
  let plane = i / (p.width * p.height);
  let v = x[(plane * ((p.height + 1u) / 2u) + row / 2u) * p.columns + p.left + column];
  let part = p.factor * select(v.x, v.y, (row & 1u) == 1u);
  if (BASE) {
    y[i] = base[i] + part;
  } else {
    y[i] = part;
  }
}
