// For GPUs: 64 channels of 64 pixels per workgroup of 64, 16 channels of a tap at a time through workgroup memory; an invocation
// holds eight channels of two quads of pixels. All invocations take part in every barrier.
var<workgroup> wTile: array<vec4f, 256>;
var<workgroup> xTile: array<vec4f, 256>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let rowGroups = (p.outChannels + 7u) / 8u;
  let rowTiles = (p.outChannels + 63u) / 64u;
  let columnTiles = (p.total + 63u) / 64u;
  let t = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (t >= rowTiles * columnTiles) {
    return;
  }
  let rowTile = t % rowTiles;
  let first = t / rowTiles * 64u;
  let plane = p.height * p.width;

  // Loading: this invocation brings always the same quad of pixels, which lie 16 apart, and of weights.
  let line = lid / 16u;
  let q = pixelsOf(min(first + lid % 16u + vec4u(0u, 16u, 32u, 48u), vec4u(p.total - 1u)));
  let wQuad = min(rowTile * 16u + lid % 16u, rowGroups * 2u - 1u);
  var wBase = wQuad / 2u * p.kernelHeight * p.kernelWidth * p.inChannels * 2u + wQuad % 2u;

  let across = lid % 8u;
  let down = lid / 8u;
  var acc = array<vec4f, 16>();
  var exact = array<Exact, 16>();
  for (var ky = 0u; ky < MANY; ky++) {
    if (ky >= p.kernelHeight) {
      break;
    }
    for (var kx = 0u; kx < MANY; kx++) {
      if (kx >= p.kernelWidth) {
        break;
      }
      let tap = tapOf(q, ky, kx);
      for (var turn = 0u; turn < MANY; turn++) {
        let c0 = 16u * turn;
        if (c0 >= p.inChannels) {
          break;
        }
        for (var i = 0u; i < 4u; i++) {
          let c = c0 + line + 4u * i;
          let there = c < p.inChannels;
          let known = min(c, p.inChannels - 1u);
          xTile[lid + 64u * i] = select(vec4f(), load4(tap.at + known * plane, tap.inside), there);
          wTile[lid + 64u * i] = select(vec4f(), w[wBase + known * 2u], there);
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
          let a = wTile[k * 16u + down * 2u];
          let e = wTile[k * 16u + down * 2u + 1u];
          for (var side = 0u; side < 2u; side++) {
            let v = xTile[k * 16u + across + 8u * side];
            if (PRECISE) {
              let vHead = heads(v);
              for (var i = 0u; i < 4u; i++) {
                exact_add(&exact[8u * side + i], a[i], heads(a)[i], v, vHead);
                exact_add(&exact[8u * side + i + 4u], e[i], heads(e)[i], v, vHead);
              }
            } else {
              acc[8u * side] += a.x * v;
              acc[8u * side + 1u] += a.y * v;
              acc[8u * side + 2u] += a.z * v;
              acc[8u * side + 3u] += a.w * v;
              acc[8u * side + 4u] += e.x * v;
              acc[8u * side + 5u] += e.y * v;
              acc[8u * side + 6u] += e.z * v;
              acc[8u * side + 7u] += e.w * v;
            }
          }
        }
        workgroupBarrier();
      }
      wBase += p.inChannels * 2u;
    }
  }

  for (var side = 0u; side < 2u; side++) {
    let wanted = first + across + 8u * side + vec4u(0u, 16u, 32u, 48u);
    let o = pixelsOf(min(wanted, vec4u(p.total - 1u)));
    for (var i = 0u; i < 8u; i++) {
      let row = rowTile * 64u + down * 8u + i;
      var v = acc[8u * side + i];
      if (PRECISE) {
        v = exact_value(exact[8u * side + i]);
      }
      for (var j = 0u; j < 4u; j++) {
        if (row < p.outChannels && wanted[j] < p.total) {
          put(o.image[j], o.place[j], row, v[j]);
        }
      }
    }
  }
}
