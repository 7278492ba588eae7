// Eight rows of WIDE quads per invocation (1 or 2), loads straight from the buffers: correct on every adapter. The second
// quad lies half of all quads further on, so that neighbours read neighbours. PARTED: the sums are made of parts. In front
// of this text: WIDE, PARTED.

// Adds the sums of a part to those of the parts before it, and begins the next.
fn end_part(all: ptr<function, array<vec4f, 8>>, part: ptr<function, array<vec4f, 8>>) {
  for (var i = 0u; i < 8u; i++) {
    (*all)[i] += (*part)[i];
    (*part)[i] = vec4f();
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let total = (p.live + WIDE - 1u) / WIDE;
  let rowGroups = (p.rows + 7u) / 8u;
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (t >= total * rowGroups * p.groups) {
    return;
  }
  let column = t % total;
  let rowGroup = (t / total) % rowGroups;
  let group = t / (total * rowGroups);
  let step = p.groups * p.quads;
  let image = column / p.quads;
  let place = group * p.quads + column % p.quads;
  // Where an odd number leaves no second quad, the last is summed twice and stored once.
  let other = min(column + total, p.live - 1u);
  let otherImage = other / p.quads;
  let otherPlace = group * p.quads + other % p.quads;
  var xi = image * p.depth * step + place;
  var yi = otherImage * p.depth * step + otherPlace;
  var wi = (group * rowGroups + rowGroup) * p.packedDepth * 2u;
  var acc: array<vec4f, 8>;
  var more: array<vec4f, 8>;
  var allAcc: array<vec4f, 8>;
  var allMore: array<vec4f, 8>;
  for (var k = 0u; k < p.depth; k++) {
    let v = quad(x[xi]);
    let a = weight4(w[wi]);
    let b = weight4(w[wi + 1u]);
    add_rows(&acc, a, b, v);
    if (WIDE == 2u) {
      let u = quad(x[yi]);
      add_rows(&more, a, b, u);
      yi += step;
    }
    xi += step;
    wi += 2u;
    if (PARTED && ((k + 1u) % p.part == 0u || k + 1u == p.depth)) {
      end_part(&allAcc, &acc);
      end_part(&allMore, &more);
    }
  }
  if (PARTED) {
    acc = allAcc;
    more = allMore;
  }
  for (var i = 0u; i < 8u; i++) {
    let row = rowGroup * 8u + i;
    if (row < p.rows) {
      put((image * p.rows + row) * step + place, acc[i], image, row);
      if (WIDE == 2u && column + total < p.live) {
        put((otherImage * p.rows + row) * step + otherPlace, more[i], otherImage, row);
      }
    }
  }
}
