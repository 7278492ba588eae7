// The sum of a value of each invocation of a workgroup, for all of them: added in pairs, always in the same order. Whoever
// sums twice puts a barrier between. In front of this text: SIZE (a power of 2), Sum (f32, vec2f or vec4f).
const HALVINGS: u32 = countTrailingZeros(SIZE);
var<workgroup> sums: array<Sum, SIZE>;

fn pair_sum(lid: u32, own: Sum) -> Sum {
  sums[lid] = own;
  workgroupBarrier();
  for (var level = 1u; level <= HALVINGS; level++) {
    let half = SIZE >> level;
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  return sums[0];
}
