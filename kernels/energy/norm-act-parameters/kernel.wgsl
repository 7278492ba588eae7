// Gradients of the parameters of kernels/energy/norm-act, summed over the columns, with g the derivative by v:
//   beta: sum M g,   product = sum M g n (+ M first J(hd)),   gamma: alpha product,   alpha: gamma product
// The second term is that of a loss on grad phi (`SECOND`): `first` is the derivative by v of phi, hd the change of h, and
// J(hd) = (hd - mean hd - n mean(n hd)) s; m [2][columns] are the two means. Activations [channels][columns] f32, s [columns], w the
// bank of parameters, d that of gradients, in which the three vectors are set. One workgroup for each channel, sums in a fixed order.
struct Params {
  workgroups: u32, // channels
  quads: u32,
  alpha: u32,
  gamma: u32,
  beta: u32,
  slope: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> first: array<vec4f>;
@group(0) @binding(3) var<storage, read> hd: array<vec4f>;
@group(0) @binding(4) var<storage, read> n: array<vec4f>;
@group(0) @binding(5) var<storage, read> s: array<vec4f>;
@group(0) @binding(6) var<storage, read> m: array<vec4f>;
@group(0) @binding(7) var<storage, read> w: array<f32>;
@group(0) @binding(8) var<storage, read_write> d: array<f32>;

fn each_workgroup(c: u32, lid: u32) {
  let scale = w[p.alpha + c];
  let gain = w[p.gamma + c];
  let shift = w[p.beta + c];
  var direct = vec4f();
  var product = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.quads) {
      break;
    }
    let at = c * p.quads + i;
    let normal = n[at];
    let mask = select(vec4f(p.slope), vec4f(1.0), gain * scale * normal + shift >= vec4f(0.0));
    let own = mask * g[at];
    direct += own;
    product += own * normal;
    if (SECOND) {
      let moved = (hd[at] - m[i] - normal * m[p.quads + i]) * s[i];
      product += mask * first[at] * moved;
    }
  }
  let ones = vec4f(1.0);
  let all = pair_sum(lid, vec2f(dot(direct, ones), dot(product, ones)));
  if (lid == 0u) {
    d[p.beta + c] = all.x;
    d[p.gamma + c] = scale * all.y;
    d[p.alpha + c] = gain * all.y;
  }
}
