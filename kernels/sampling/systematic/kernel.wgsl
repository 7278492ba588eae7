// Systematic resampling of the particles of every run: with one uniform v per run and the running sums c of the weights, the
// ancestor of slot i is the smallest j with c_j >= (i + v) total / N, the last one if there is none (thresholds are scaled by
// the computed total, so that rounding leaves no slot without). In runs that had ended before every slot is its own ancestor.
//
//   sums_of, ancestors [runs * particles]: running sums; ancestors within the run   state [runs, RUN]
//
// RECORDED: draws [runs] are the bits of v. Otherwise they are seeds, and v is draw number count for "resample". One
// invocation: one slot. Needs kernels/lib/run-state.wgsl and uniform-at.wgsl.
struct Params {
  threads: u32, // rows
  particles: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sums_of: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read> draws: array<u32>;
@group(0) @binding(4) var<storage, read_write> ancestors: array<u32>;

fn each(row: u32) {
  let run = row / p.particles;
  let slot = row % p.particles;
  let s = run * RUN;
  var v = 0.0;
  if (RECORDED) {
    v = bitcast<f32>(draws[run]);
  } else {
    v = uniformAt(draws[run], u32(state[s + COUNT]), 2u, 0u);
  }
  let threshold = (f32(slot) + v) * (state[s + TOTAL] / f32(p.particles));
  let base = run * p.particles;
  // The smallest j, where there is one, lies in [low, high]; 22 halvings end it for up to 2^22 particles.
  var low = 0u;
  var high = p.particles - 1u;
  for (var k = 0u; k < 22u; k++) {
    let middle = (low + high) / 2u;
    if (sums_of[base + middle] >= threshold) {
      high = middle;
    } else {
      low = min(middle + 1u, high);
    }
  }
  ancestors[row] = select(low, slot, state[s + DONE] != 0.0);
}
