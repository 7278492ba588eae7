// The next increment of beta of every run of tempered sequential Monte Carlo: the largest delta in (0, 1 - beta] for which the
// effective sample size of its particles stays at a share tau of their number,
//
//   ESS(delta) = (sum w)^2 / sum w^2 >= tau N,   w = exp(sign delta scale (phi - top))
//
// by 40 halvings of [0, 1 - beta], of which the lower end is kept (ESS falls with delta). top is the largest phi (sign -1: the
// least). The run begins its next temperature: count + 1, delta, last (whether beta ends at 1); done where beta was 1.
//
//   phi [runs * particles]   state [runs, RUN]
//
// One workgroup: one run; all sums in a fixed order. Needs kernels/lib/run-state.wgsl, exp.wgsl, pair-sum.wgsl (vec2f).
struct Params {
  workgroups: u32, // runs
  particles: u32,
  scale: f32,
  tau: f32,
  sign: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> phi: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;

// Whether the effective sample size at this increment is enough.
fn enough(lid: u32, base: u32, top: f32, delta: f32) -> bool {
  var own = vec2f();
  let factor = p.sign * delta * p.scale;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.particles) {
      break;
    }
    let w = expWeight(factor * (phi[base + i] - top));
    own += vec2f(w, w * w);
  }
  let all = pair_sum(lid, own);
  workgroupBarrier();
  return all.x * all.x >= p.tau * f32(p.particles) * all.y;
}

fn each_workgroup(run: u32, lid: u32) {
  let base = run * p.particles;
  let s = run * RUN;
  let top = p.sign * largest(lid, base, p.sign);
  let room = 1.0 - state[s + BETA];
  let whole = enough(lid, base, top, room);
  var low = 0.0;
  var high = room;
  for (var k = 0u; k < 40u; k++) {
    let middle = 0.5 * (low + high);
    if (enough(lid, base, top, middle)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  if (lid == 0u) {
    if (room <= 0.0) {
      state[s + DONE] = 1.0;
      state[s + DELTA] = 0.0;
    } else {
      state[s + DELTA] = select(low, room, whole);
      state[s + LAST] = select(0.0, 1.0, whole);
      state[s + COUNT] += 1.0;
    }
  }
}
