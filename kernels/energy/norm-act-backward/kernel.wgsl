// Derivative of kernels/energy/norm-act by what the layer in front computed, from that by v:
//   p_n = gamma alpha M g,   dg = J(p_n) + r,   J(t) = (t - mean t - n mean(n t)) s
// M is 1 where y = gamma alpha n + beta >= 0, else the slope; J is the exact derivative of h -> n, with eps inside s, and symmetric.
// g, n [channels][columns] f32, s [columns]; r [channels][columns]: the derivative by h from the blocks behind, none where the source
// is `plain`. dg has the channels of g of the forward kernel: `DOUBLED` adds the halves, `LABEL` leaves the second out. One invocation
// owns four columns. Needs kernels/lib/norm-act-derivative.wgsl.
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> n: array<vec4f>;
@group(0) @binding(3) var<storage, read> s: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> r: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dg: array<vec4f>;

fn pulled(c: u32, i: u32) -> vec4f {
  let at = c * p.quads + i;
  return gain(c, n[at]) * g[at];
}

fn of_h(c: u32, i: u32, mean: vec4f, along: vec4f, inverse: vec4f) -> vec4f {
  let at = c * p.quads + i;
  let own = (pulled(c, i) - mean - n[at] * along) * inverse;
  if (RESIDUAL || DOUBLED || LABEL) {
    return own + r[at];
  }
  return own;
}

fn each(i: u32) {
  var sum = vec4f();
  var product = vec4f();
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let t = pulled(c, i);
    sum += t;
    product += n[c * p.quads + i] * t;
  }
  let mean = sum / f32(p.channels);
  let along = product / f32(p.channels);
  let inverse = s[i];
  let written = select(p.channels, p.half, DOUBLED || LABEL);
  for (var c = 0u; c < MANY; c++) {
    if (c >= written) {
      break;
    }
    var out = of_h(c, i, mean, along, inverse);
    if (DOUBLED) {
      out += of_h(c + p.half, i, mean, along, inverse);
    }
    dg[c * p.quads + i] = out;
  }
}
