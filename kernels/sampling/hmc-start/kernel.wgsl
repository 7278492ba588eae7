// The first half of a transition of Hamiltonian Monte Carlo (Neal 2011), up to its first gradient, for particles of many runs,
// each with its own beta and step size eps (state): with a momentum m ~ N(0, I) over the unobserved coordinates,
//
//   kinetic = |m|^2 / 2,   m += eps/2 beta scale o,   proposal = x + eps m
//
//   x, o, proposal [rows, dims], rows = runs * particles: positions, o = grad phi there; phi [rows]; log density = scale phi
//   m [rows, free + 2]: the momentum, kinetic, phi   box [3, free] (its indices only)   state [runs, RUN]
//
// RECORDED: draws [rows, free] are the bits of the momenta. Otherwise draws [runs] are seeds, and a momentum is draw number
// count * moves + transition of its run, entry by entry. One invocation: one row. Needs kernels/lib/hmc-drawn.wgsl, run-state.wgsl
// and philox.wgsl.
@group(0) @binding(7) var<storage, read_write> proposal: array<f32>;
@group(0) @binding(8) var<storage, read_write> m: array<f32>;

fn each(row: u32) {
  let run = row / p.particles;
  let s = run * RUN;
  let eps = state[s + STEP];
  let kick = 0.5 * eps * state[s + BETA] * p.scale;
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    proposal[row * p.dims + d] = x[row * p.dims + d];
  }
  let draw = u32(state[s + COUNT]) * p.moves + p.transition;
  let first = (row % p.particles) * p.free;
  let own = row * (p.free + 2u);
  var noise: vec4f;
  var energy = 0.0;
  for (var j = 0u; j < MANY; j++) {
    if (j >= p.free) {
      break;
    }
    var start = 0.0;
    if (RECORDED) {
      start = bitcast<f32>(draws[row * p.free + j]);
    } else {
      let e = first + j;
      if (j == 0u || e % 4u == 0u) {
        noise = normal4(draws[run], draw, e / 4u);
      }
      start = noise[e % 4u];
    }
    energy += 0.5 * start * start;
    let at = row * p.dims + box[j];
    let pushed = start + kick * o[at];
    m[own + j] = pushed;
    proposal[at] = x[at] + eps * pushed;
  }
  m[own + p.free] = energy;
  m[own + p.free + 1u] = phi[row];
}
