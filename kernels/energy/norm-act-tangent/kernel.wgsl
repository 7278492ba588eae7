// Derivative of kernels/energy/norm-act along a direction: how h and v change (hd, vd) when the product in front changes by g and the
// residual stream by r. No bias, and labels do not change. Where the source is `plain`, hd is g itself, and not written.
//   hd = g (+ r),   vd = M gamma alpha J(hd),   J(t) = (t - mean t - n mean(n t)) s
// g, r, n, hd, vd [channels][columns] f32 (g of half as many channels where `DOUBLED` or `LABEL`), s [columns]; m [2][columns], the
// means of hd and of n hd. One invocation owns four columns. Needs kernels/lib/norm-act-derivative.wgsl.
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> n: array<vec4f>;
@group(0) @binding(3) var<storage, read> s: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> r: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hd: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> vd: array<vec4f>;

fn change(c: u32, i: u32) -> vec4f {
  let at = c * p.quads + i;
  if (RESIDUAL) {
    return r[at] + g[at];
  }
  if (DOUBLED) {
    return g[select(c, c - p.half, c >= p.half) * p.quads + i];
  }
  if (LABEL && c >= p.half) {
    return vec4f();
  }
  return g[at];
}

fn each(i: u32) {
  var sum = vec4f();
  var product = vec4f();
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let at = c * p.quads + i;
    let t = change(c, i);
    if (RESIDUAL || DOUBLED || LABEL) {
      hd[at] = t;
    }
    sum += t;
    product += n[at] * t;
  }
  let mean = sum / f32(p.channels);
  let along = product / f32(p.channels);
  m[i] = mean;
  m[p.quads + i] = along;
  let inverse = s[i];
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let at = c * p.quads + i;
    let normal = n[at];
    vd[at] = gain(c, normal) * ((change(c, i) - mean - normal * along) * inverse);
  }
}
