// The entry of kernels whose workgroups have one piece of work each: the grid, folded into two dimensions, as one row of
// workgroups; `each_workgroup(w, lid)` of the kernel runs for w from 0 to p.workgroups. In front of this text: SIZE.
@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let w = wid.y * nwg.x + wid.x;
  if (w < p.workgroups) {
    each_workgroup(w, lid);
  }
}
