// A dense matrix along one axis of x [outer, from, inner]: y [outer, to, inner],
//
//   y[., o, .] = sum over t of m[t, o] x[., t, .]
//
// with m [from, to rounded up to a multiple of 4], zero padded. One invocation: four outputs of four lines (a line: the values of
// x at one place of outer and inner), so that everything read serves four times. Terms in ascending order of t.
struct Params {
  threads: u32,
  extent: u32,
  to: u32,
  inner: u32,
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn store(line: u32, first: u32, v: vec4f) {
  if (line < p.lines) {
    let base = line / p.inner * p.to * p.inner + line % p.inner;
    for (var i = 0u; i < 4u; i++) {
      if (first + i < p.to) {
        y[base + (first + i) * p.inner] = v[i];
      }
    }
  }
}

fn each(i: u32) {
  let quads = (p.to + 3u) / 4u;
  let groups = (p.lines + 3u) / 4u;
  // Neighbours share the outputs where lines lie side by side.
  let line = 4u * (i % groups);
  let quad = i / groups;
  // Past the last line, the last one is computed again and not stored.
  let l = min(vec4u(line, line + 1u, line + 2u, line + 3u), vec4u(p.lines - 1u));
  var at = l / p.inner * p.extent * p.inner + l % p.inner;
  var a = vec4f();
  var b = vec4f();
  var c = vec4f();
  var d = vec4f();
  for (var t = 0u; t < MANY; t++) {
    if (t >= p.extent) {
      break;
    }
    let w = m[t * quads + quad];
    a += w * x[at.x];
    b += w * x[at.y];
    c += w * x[at.z];
    d += w * x[at.w];
    at += p.inner;
  }
  store(line, 4u * quad, a);
  store(line + 1u, 4u * quad, b);
  store(line + 2u, 4u * quad, c);
  store(line + 3u, 4u * quad, d);
}
