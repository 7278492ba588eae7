// The entry of kernels that have an invocation for each value (kernels/lib/entry.ts): the grid, folded into two dimensions, as
// one row of invocations; `each(i)` of the kernel runs for i from 0 to p.threads. In front of this text: WORKGROUP.
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WORKGROUP + lid;
  if (i < p.threads) {
    each(i);
  }
}
