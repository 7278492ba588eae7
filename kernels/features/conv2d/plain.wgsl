// Eight channels of four pixels per invocation, loads straight from the buffers: correct on every adapter.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let quads = (p.total + 3u) / 4u;
  let rowGroups = (p.outChannels + 7u) / 8u;
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (t >= quads * rowGroups) {
    return;
  }
  let wanted = vec4u(t % quads) + vec4u(0u, 1u, 2u, 3u) * quads;
  let rowGroup = t / quads;
  let q = pixelsOf(min(wanted, vec4u(p.total - 1u)));
  let plane = p.height * p.width;
  var wi = rowGroup * p.kernelHeight * p.kernelWidth * p.inChannels * 2u;
  var acc = array<vec4f, 8>();
  var exact = array<Exact, 8>();
  for (var ky = 0u; ky < MANY; ky++) {
    if (ky >= p.kernelHeight) {
      break;
    }
    for (var kx = 0u; kx < MANY; kx++) {
      if (kx >= p.kernelWidth) {
        break;
      }
      let tap = tapOf(q, ky, kx);
      var at = tap.at;
      for (var c = 0u; c < MANY; c++) {
        if (c >= p.inChannels) {
          break;
        }
        let v = load4(at, tap.inside);
        let a = w[wi];
        let e = w[wi + 1u];
        if (PRECISE) {
          let vHead = heads(v);
          let aHead = heads(a);
          let eHead = heads(e);
          for (var i = 0u; i < 4u; i++) {
            exact_add(&exact[i], a[i], aHead[i], v, vHead);
            exact_add(&exact[i + 4u], e[i], eHead[i], v, vHead);
          }
        } else {
          add_rows(&acc, a, e, v);
        }
        at += plane;
        wi += 2u;
      }
    }
  }
  if (PRECISE) {
    for (var i = 0u; i < 8u; i++) {
      acc[i] = exact_value(exact[i]);
    }
  }
  for (var i = 0u; i < 8u; i++) {
    let row = rowGroup * 8u + i;
    if (row < p.outChannels) {
      for (var j = 0u; j < 4u; j++) {
        if (wanted[j] < p.total) {
          put(q.image[j], q.place[j], row, acc[i][j]);
        }
      }
    }
  }
}
