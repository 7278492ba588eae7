// Weights of the particles of every run of tempered sequential Monte Carlo, for the increment delta that the run holds:
//
//   w = exp(delta scale (phi - top)),  sums = running sums of w,  total = their last,
//   log Z += ln(total / N) + delta scale top,  ess = total^2 / sum w^2,
//   beta += delta (1 where it is the last increment),  eps = kappa / sqrt(beta), at most the cap (FIXED: kappa itself)
//
// Running sums in a fixed order: an invocation adds up its own stretch of particles, the stretches' sums are added in order, and
// each invocation goes over its stretch again; so they never fall. Runs that had ended before change nothing.
//
//   phi, sums [runs * particles]   state [runs, RUN]   trace [runs, slots, 4]: beta, delta, ess, eps at slot count % slots
//
// One workgroup: one run. Needs kernels/lib/run-state.wgsl, math.wgsl, temper.wgsl, pair-sum.wgsl (vec2f).
struct Params {
  workgroups: u32, // runs
  particles: u32,
  scale: f32,
  kappa: f32,
  cap: f32,
  slots: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> phi: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums_of: array<f32>;
@group(0) @binding(4) var<storage, read_write> trace: array<f32>;

var<workgroup> stretches: array<f32, SIZE>;

fn each_workgroup(run: u32, lid: u32) {
  let base = run * p.particles;
  let s = run * RUN;
  let top = largest(lid, base, 1.0);
  let delta = state[s + DELTA];
  let factor = delta * p.scale;
  let length = (p.particles + SIZE - 1u) / SIZE;
  let first = min(lid * length, p.particles);
  let end = min(first + length, p.particles);
  var own = vec2f();
  for (var i = first; i < MANY; i++) {
    if (i >= end) {
      break;
    }
    let w = expWeight(factor * (phi[base + i] - top));
    own += vec2f(w, w * w);
  }
  stretches[lid] = own.x;
  let squares = pair_sum(lid, own).y;
  var before = 0.0;
  var total = 0.0;
  for (var k = 0u; k < SIZE; k++) {
    before = select(before, total, k == lid);
    total += stretches[k];
  }
  let live = state[s + DONE] == 0.0;
  workgroupBarrier();
  if (live) {
    var sum = 0.0;
    for (var i = first; i < MANY; i++) {
      if (i >= end) {
        break;
      }
      sum += expWeight(factor * (phi[base + i] - top));
      sums_of[base + i] = before + sum;
    }
  }
  if (lid == 0u && live) {
    let beta = select(state[s + BETA] + delta, 1.0, state[s + LAST] == 1.0);
    let eps = select(min(p.cap, p.kappa / sqrt(beta)), p.kappa, FIXED);
    let at = 4u * (run * p.slots + u32(state[s + COUNT]) % p.slots);
    state[s + BETA] = beta;
    state[s + STEP] = eps;
    state[s + TOTAL] = total;
    state[s + LOG_Z] += ln(total / f32(p.particles)) + factor * top;
    trace[at] = beta;
    trace[at + 1u] = delta;
    trace[at + 2u] = total * total / squares;
    trace[at + 3u] = eps;
  }
}
