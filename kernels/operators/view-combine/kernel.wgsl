// The adjoint of view-take: complex views x [batch, views, channels, rows, columns] put back where they were seen,
//
//   y[n, c, pixel] = [base +] factor * sum over views that hold the pixel of conj(window) x
//
// as AS says: the real part of it (REAL, OBJECT), two PLANES, or interleaved (SPECTRUM). One invocation, one pixel, views in
// order.
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> window: array<vec2f>;
@group(0) @binding(3) var<storage, read> positions: array<vec2u>;
@group(0) @binding(4) var<storage, read> base: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// a - b modulo n, both below n
fn less(a: u32, b: u32, n: u32) -> u32 {
  return select(a + n - b, a - b, a >= b);
}

fn each(i: u32) {
  let column = less(i % p.width, p.sourceColumn % p.width, p.width);
  let row = less((i / p.width) % p.height, p.sourceRow % p.height, p.height);
  let plane = p.height * p.width;
  let image = i / plane;
  let channel = image % p.channels;
  let item = image / p.channels;
  var sum = vec2f();
  for (var view = 0u; view < MANY; view++) {
    if (view >= p.views) {
      break;
    }
    let corner = positions[view];
    if (row >= corner.x && row - corner.x < p.rows && column >= corner.y && column - corner.y < p.columns) {
      let a = row - corner.x;
      let b = column - corner.y;
      let line = ((item * p.views + view) * p.channels + channel) * p.rows + less(a, p.viewRow % p.rows, p.rows);
      let value = x[line * p.columns + less(b, p.viewColumn % p.columns, p.columns)];
      if (WINDOW) {
        let w = window[(select(0u, view, EACH) * p.rows + a) * p.columns + b];
        sum += multiply(vec2f(w.x, -w.y), value);
      } else {
        sum += value;
      }
    }
  }
  sum *= p.factor;
  if (AS == PLANES) {
    let first = i + item * plane;
    if (BASE) {
      sum += vec2f(base[first], base[first + plane]);
    }
    y[first] = sum.x;
    y[first + plane] = sum.y;
  } else if (AS == SPECTRUM) {
    y[2u * i] = sum.x;
    y[2u * i + 1u] = sum.y;
  } else {
    y[i] = sum.x;
  }
}
