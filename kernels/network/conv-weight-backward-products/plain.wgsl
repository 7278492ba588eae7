// An octet of rows and a quad of columns per invocation, loads straight from the buffers: correct on every adapter. In front of
// this text: PARTED, whether several pieces are added up.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let columnQuads = p.columns * 2u;
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (t >= columnQuads * p.rows * p.groups * p.pieces) {
    return;
  }
  let unit = unitOf(t, columnQuads, columnQuads * p.rows);
  let column = unit.near;
  let row = unit.far;
  let group = unit.group;
  let end = min(p.panels, (unit.piece + 1u) * p.span);
  var acc: array<vec4f, 8>;
  var all: array<vec4f, 8>;
  for (var panel = unit.piece * p.span; panel < end; panel++) {
    let ai = aQuad(group, row * 2u) + panel * aPanel();
    let bi = bQuad(group, column) + panel * bPanel();
    for (var k = 0u; k < BLOCK; k += 2u) {
      let u = a[ai + k];
      let w = a[ai + k + 1u];
      let v = b[bi + k];
      acc[0] += u.x * v;
      acc[1] += u.y * v;
      acc[2] += u.z * v;
      acc[3] += u.w * v;
      acc[4] += w.x * v;
      acc[5] += w.y * v;
      acc[6] += w.z * v;
      acc[7] += w.w * v;
    }
    if (PARTED && ((panel + 1u) % p.piece == 0u || panel + 1u == end)) {
      for (var i = 0u; i < 8u; i++) {
        all[i] += acc[i];
        acc[i] = vec4f();
      }
    }
  }
  if (PARTED) {
    acc = all;
  }
  for (var i = 0u; i < 8u; i++) {
    put(yRow(unit.piece, group, row * 8u + i) + column, group, acc[i]);
  }
}
