// y = alpha a + beta b element by element, or y = alpha a: what meets in reverse mode is added by it.
// Prelude: V, F, load, store (kernels/lib/lanes.ts), BOTH.
struct Params {
  threads: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

fn each(i: u32) {
  var v = p.alpha * load(a[i]);
  if (BOTH) {
    v += p.beta * load(b[i]);
  }
  y[i] = store(v);
}
