// Weighted views of complex pictures u, [batch, views, channels, rows, columns] (vec2f = re, im):
//
//   y[n, l, c, a, b] = window[l; a', b'] u[n, c, top[l] + a' + sourceRow, left[l] + b' + sourceColumn],
//   a' = a + viewRow mod rows, b' likewise; pictures end where they begin
//
// AS says how u is stored: real pictures x (REAL), (x + 1) / 2 of them (OBJECT), two PLANES, interleaved (SPECTRUM). The shifts
// put the zero of a centred FFT, or of its input, in the corner. Multi-coil MRI, coded diffraction and (Fourier) ptychography
// begin with it.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> window: array<vec2f>;
@group(0) @binding(3) var<storage, read> positions: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let a = ((i / p.columns) % p.rows + p.viewRow) % p.rows;
  let b = (i % p.columns + p.viewColumn) % p.columns;
  let image = i / (p.columns * p.rows);
  let channel = image % p.channels;
  let view = (image / p.channels) % p.views;
  let item = image / (p.channels * p.views);
  let corner = positions[view];
  let row = (corner.x + a + p.sourceRow) % p.height;
  let column = (corner.y + b + p.sourceColumn) % p.width;
  let plane = p.height * p.width;
  let at = ((item * p.channels + channel) * p.height + row) * p.width + column;
  var value = vec2f();
  if (AS == OBJECT) {
    value.x = 0.5 * x[at] + 0.5;
  } else if (AS == REAL) {
    value.x = x[at];
  } else if (AS == PLANES) {
    let first = at + item * plane;
    value = vec2f(x[first], x[first + plane]);
  } else {
    value = vec2f(x[2u * at], x[2u * at + 1u]);
  }
  if (WINDOW) {
    value = multiply(window[(select(0u, view, EACH) * p.rows + a) * p.columns + b], value);
  }
  y[i] = value;
}
