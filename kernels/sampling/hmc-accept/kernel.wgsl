// The verdict on a transition of Hamiltonian Monte Carlo (Neal 2011), for particles of many runs, each with its own beta and
// step size eps (state): the last half step of momentum, the gain in log density of position and momentum, acceptance:
//
//   m += eps/2 beta scale o,  gain = beta scale (phi - phi at the start) - (|m|^2 / 2 - kinetic),  taken if v < exp(min(0, gain))
//
// A proposal outside of the box, or whose gain is not finite, is rejected, its gain is -3e38; so is everything of a run that
// had ended before.
//
//   x, o [rows, dims], phi [rows]: the proposal, rows = runs * particles; m [rows, free + 2]: momentum, kinetic (on return the
//   gain), phi at the start; box [3, free]; state [runs, RUN]; taken [rows]: 0 or 1
//
// RECORDED: draws [rows] are the bits of v. Otherwise draws [runs] are seeds, and v is draw number count * moves + transition for
// "accept". One invocation: one row. Needs kernels/lib/hmc-drawn.wgsl, run-state.wgsl, uniform-at.wgsl, exp.wgsl and free-box.wgsl.
@group(0) @binding(7) var<storage, read_write> m: array<f32>;
@group(0) @binding(8) var<storage, read_write> taken: array<u32>;

fn each(row: u32) {
  let run = row / p.particles;
  let s = run * RUN;
  let beta = state[s + BETA];
  let kick = 0.5 * state[s + STEP] * beta * p.scale;
  let own = row * (p.free + 2u);
  var energy = 0.0;
  for (var j = 0u; j < MANY; j++) {
    if (j >= p.free) {
      break;
    }
    let pushed = m[own + j] + kick * o[row * p.dims + box[j]];
    m[own + j] = pushed;
    energy += 0.5 * pushed * pushed;
  }
  var gain = beta * p.scale * (phi[row] - m[own + p.free + 1u]) - (energy - m[own + p.free]);
  let possible = insideBox(row * p.dims, p.free) && isFinite(gain);
  var v = 0.0;
  if (RECORDED) {
    v = bitcast<f32>(draws[row]);
  } else {
    v = uniformAt(draws[run], u32(state[s + COUNT]) * p.moves + p.transition, 1u, row % p.particles);
  }
  let accepted = possible && v < expFine(clamp(gain, -87.0, 0.0));
  m[own + p.free] = select(-3e38, gain, possible);
  taken[row] = select(0u, 1u, accepted && state[s + DONE] == 0.0);
}
