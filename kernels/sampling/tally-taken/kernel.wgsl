// How many particles of each run were accepted: tally [runs, slots] at the slot of the run's present temperature, count % slots,
// plus the sum of taken [runs * particles] (FIRST: that sum alone). Runs that had ended before change nothing.
//
// One workgroup: one run, its sum in a fixed order (of whole numbers). Needs kernels/lib/run-state.wgsl and pair-sum.wgsl.
struct Params {
  workgroups: u32, // runs
  particles: u32,
  slots: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> taken: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> tally: array<f32>;

fn each_workgroup(run: u32, lid: u32) {
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.particles) {
      break;
    }
    sum += f32(taken[run * p.particles + i]);
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u && state[run * RUN + DONE] == 0.0) {
    let at = run * p.slots + u32(state[run * RUN + COUNT]) % p.slots;
    var before = 0.0;
    if (!FIRST) {
      before = tally[at];
    }
    tally[at] = before + all;
  }
}
