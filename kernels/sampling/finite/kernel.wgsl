// Where and when a batch stopped being finite: for every NaN or infinity in x[n],
//   first[n] = min(first[n], step)
// x: f32 [batch, size], step: u32 [1], first: u32 [batch], which the host sets to 0xffffffff before the first step.
// The test looks at the exponent bits; comparisons with NaN may be optimised away. One thread, one element.

struct Params {
  threads: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> first: array<atomic<u32>>;

fn each(i: u32) {
  if ((bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u) {
    atomicMin(&first[i / p.size], step[0]);
  }
}
