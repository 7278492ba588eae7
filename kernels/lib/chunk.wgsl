// The elements [x, y) of 0 .. count - 1 that are workgroup `group`'s of `groups` of `size` invocations: several for each
// invocation where the host asks for fewer workgroups than one element each would need (kernels/lib/chunk.ts).
fn chunk(count: u32, group: u32, groups: u32, size: u32) -> vec2u {
  let turns = (count - 1u) / (groups * size) + 1u;
  let first = group * turns * size;
  return vec2u(first, min(count, first + turns * size));
}
