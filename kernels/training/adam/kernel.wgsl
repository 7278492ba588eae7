// Adam (Kingma and Ba 2015) over a flat bank of parameters, in place, with EDM2's rule for gradients that are not finite:
//   g <- 0 where g is NaN or infinite (counted in `zeroed`)
//   m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2
//   w <- w - rate m / (sqrt(v) root + eps),   rate = lr / (1 - beta1^k),   root = 1 / sqrt(1 - beta2^k)
// w, m, v, g: f32 [elements], four at a time; settings: f32 [7] = rate, root, beta1, 1 - beta1, beta2, 1 - beta2, eps, which the host
// computes in double precision; zeroed: u32 [2], low word first, added to. The test of g looks at the exponent bits: comparisons with
// NaN may be optimised away. (Networks with rows to be normalised: adam-rows.)

struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> zeroed: array<atomic<u32>>;

fn each(i: u32) {
  let raw = g[i];
  let broken = (bitcast<vec4u>(raw) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  let grad = select(raw, vec4f(0.0), broken);
  if (any(broken)) {
    let ones = select(vec4u(0u), vec4u(1u), broken);
    let count = ones.x + ones.y + ones.z + ones.w;
    // Whole numbers: the sum, and whether it carries, is the same in any order.
    if (atomicAdd(&zeroed[0], count) > 0xffffffffu - count) {
      atomicAdd(&zeroed[1], 1u);
    }
  }
  let first = settings[2] * m[i] + settings[3] * grad;
  let second = settings[4] * v[i] + settings[5] * grad * grad;
  m[i] = first;
  v[i] = second;
  w[i] -= settings[0] * first / (sqrt(second) * settings[1] + settings[6]);
}
