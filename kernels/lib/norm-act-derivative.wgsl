// What the derivatives of kernels/energy/norm-act share: their parameters, and the derivative of v by n. Their text has the bank of
// parameters w.
struct Params {
  threads: u32,
  channels: u32,
  half: u32,
  quads: u32,
  alpha: u32,
  gamma: u32,
  beta: u32,
  slope: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

// gamma alpha M of channel c where its normalised value is `normal`: M is 1 where y = gamma alpha n + beta >= 0, else the slope.
fn gain(c: u32, normal: vec4f) -> vec4f {
  let a = w[p.gamma + c] * w[p.alpha + c];
  return select(vec4f(p.slope * a), vec4f(a), a * normal + w[p.beta + c] >= vec4f(0.0));
}
