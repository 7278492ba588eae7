// For subgroups of exactly 8 invocations in order of their index: one load each, the rest by broadcast. Where a load
// costs as much as a dozen multiply-adds, as on a CPU, this decides the speed.
fn load8(row: u32, quad: u32, lane: u32, pixels: u32) -> Eight {
  let v = load1(row, quad, lane, pixels);
  let a = vec2f(subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u));
  let b = vec2f(subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
  let c = vec2f(subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u));
  let d = vec2f(subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
  return Eight(vec4f(a, b), vec4f(c, d));
}
