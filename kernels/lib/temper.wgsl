// What the kernels of tempering share: weights, and the largest phi of a run. Needs kernels/lib/exp.wgsl and, in front of it,
// SIZE; the kernel binds phi and has p.particles.

// e^x for x <= 0, and 0 where it is below 1e-37; NaN counts as weight 0.
fn expWeight(x: f32) -> f32 {
  let usable = (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u && x > -86.0;
  return select(0.0, expFine(clamp(x, -86.0, 0.0)), usable);
}

const LEVELS: u32 = countTrailingZeros(SIZE);
var<workgroup> tops: array<f32, SIZE>;

// The largest sign * phi of the run's finite ones.
fn largest(lid: u32, base: u32, sign: f32) -> f32 {
  var own = -3e38;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.particles) {
      break;
    }
    let v = sign * phi[base + i];
    if ((bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u) {
      own = max(own, v);
    }
  }
  tops[lid] = own;
  workgroupBarrier();
  for (var level = 1u; level <= LEVELS; level++) {
    let half = SIZE >> level;
    if (lid < half) {
      tops[lid] = max(tops[lid], tops[lid + half]);
    }
    workgroupBarrier();
  }
  let top = tops[0];
  workgroupBarrier();
  return top;
}
