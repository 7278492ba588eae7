// The reverse of fft-split: half spectra of rows, x [planes, rows, half], to the spectra of pairs of rows,
// y [planes, ceil(height / 2), columns]: for the image rows a = 2r and b = 2r + 1 (below `top` rows of padding),
//
//   F[k] = A[k] + i B[k],   A[k] = conj A[columns - k] past the half
//
// Column 0, and columns / 2 of even lengths, belong to real sequences: their imaginary parts count as 0.
struct Params {
  threads: u32,
  height: u32,
  columns: u32,
  half: u32,
  rows: u32,
  top: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let lines = (p.height + 1u) / 2u;
  let k = i % p.columns;
  let line = (i / p.columns) % lines;
  let plane = i / (p.columns * lines);
  let mirrored = k >= p.half;
  let first = (plane * p.rows + p.top + 2u * line) * p.half + select(k, p.columns - k, mirrored);
  var a = x[first];
  var b = vec2f();
  if (2u * line + 1u < p.height) {
    b = x[first + p.half];
  }
  let sign = select(select(1.0, 0.0, k == 0u || 2u * k == p.columns), -1.0, mirrored);
  y[i] = vec2f(a.x - sign * b.y, sign * a.y + b.x);
}
