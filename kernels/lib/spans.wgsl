// The entry of lane-generic kernels made by kernels/lib/elementwise.ts: `each(i)` of the kernel runs for i from 0 to
// p.threads, which counts in units of F (kernels/lib/lanes.ts), several times in an invocation where the host asks for fewer
// workgroups (kernels/lib/chunk.ts).
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let part = chunk(p.threads, wid.y * nwg.x + wid.x, nwg.x * nwg.y, WORKGROUP);
  for (var turn = 0u; turn < MANY; turn++) {
    let i = part.x + lid + WORKGROUP * turn;
    if (i >= part.y) {
      break;
    }
    each(i);
  }
}
