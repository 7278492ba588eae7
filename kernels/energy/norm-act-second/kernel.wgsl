// The second backward pass through kernels/energy/norm-act: derivative by the product in front of <r, grad phi>, where `first` is the
// derivative by v of phi, g that by v of <r, grad phi>, hd the change of h along r:
//   p = gamma alpha M first,  q = gamma alpha M g,  psi = (mean(p hd) - mean p mean hd - mean(n p) mean(n hd)) s
//   dg = J(q - (mean(n hd) p + mean(n p) hd) s) - psi s n + r,   J(t) = (t - mean t - n mean(n t)) s
// Activations [channels][columns] f32, s [columns]; r: the derivative by h from the blocks behind, none where the source is `plain`.
// dg has the channels of the product: `DOUBLED` adds the halves, `LABEL` leaves the second out. One invocation owns four columns;
// all sums are taken in one turn over the channels, since J is linear. Needs kernels/lib/norm-act-derivative.wgsl.
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> first: array<vec4f>;
@group(0) @binding(3) var<storage, read> hd: array<vec4f>;
@group(0) @binding(4) var<storage, read> n: array<vec4f>;
@group(0) @binding(5) var<storage, read> s: array<vec4f>;
@group(0) @binding(6) var<storage, read> w: array<f32>;
@group(0) @binding(7) var<storage, read> r: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dg: array<vec4f>;

struct Factors {
  // Of p, hd, n, and what is added.
  first: vec4f,
  moved: vec4f,
  normal: vec4f,
  constant: vec4f,
  inverse: vec4f,
}

fn of_h(c: u32, i: u32, k: Factors) -> vec4f {
  let at = c * p.quads + i;
  let normal = n[at];
  let own = (gain(c, normal) * (g[at] - k.first * first[at]) - k.moved * hd[at] - k.normal * normal - k.constant) * k.inverse;
  if (RESIDUAL || DOUBLED || LABEL) {
    return own + r[at];
  }
  return own;
}

fn each(i: u32) {
  var sumP = vec4f();
  var sumQ = vec4f();
  var sumH = vec4f();
  var sumNP = vec4f();
  var sumNQ = vec4f();
  var sumNH = vec4f();
  var sumPH = vec4f();
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let at = c * p.quads + i;
    let normal = n[at];
    let k = gain(c, normal);
    let pn = k * first[at];
    let qn = k * g[at];
    let h = hd[at];
    sumP += pn;
    sumQ += qn;
    sumH += h;
    sumNP += normal * pn;
    sumNQ += normal * qn;
    sumNH += normal * h;
    sumPH += pn * h;
  }
  let size = f32(p.channels);
  let inverse = s[i];
  let nh = sumNH / size;
  let np = sumNP / size;
  let psi = (sumPH / size - (sumP / size) * (sumH / size) - np * nh) * inverse;
  let mean = sumQ / size - (nh * (sumP / size) + np * (sumH / size)) * inverse;
  let along = sumNQ / size - 2.0 * nh * np * inverse;
  let k = Factors(nh * inverse, np * inverse, along + psi, mean, inverse);
  let written = select(p.channels, p.half, DOUBLED || LABEL);
  for (var c = 0u; c < MANY; c++) {
    if (c >= written) {
      break;
    }
    var out = of_h(c, i, k);
    if (DOUBLED) {
      out += of_h(c + p.half, i, k);
    }
    dg[c * p.quads + i] = out;
  }
}
