// The filter [1, 1] by quads of four neighbours: a thread takes one quad of several lines in a row, so that it divides only
// once. Going up a line is one of x, that becomes two of y; going down one of y, from two of x. Heights that go down are
// even, so that lines of all planes follow each other.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let quads = select(p.out_width, p.width, UP) / 4u;
  let lines = p.planes * select(p.out_height, p.height, UP);
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  let runs = nwg.x * nwg.y * 64u / quads;
  let run = i / quads;
  let column = i - run * quads;
  let size = (lines - 1u) / runs + 1u;
  // Threads of the last, unfinished run of quads have nothing to do.
  let first = select(lines, run * size, run < runs);
  let end = min(lines, first + size);
  for (var line = first; line < MANY; line++) {
    if (line >= end) {
      break;
    }
    if (UP) {
      let v = load(x[line * quads + column]);
      let left = store(v.xxyy);
      let right = store(v.zzww);
      let to = 4u * line * quads + 2u * column;
      y[to] = left;
      y[to + 1u] = right;
      y[to + 2u * quads] = left;
      y[to + 2u * quads + 1u] = right;
      if (SILU) {
        let w = mp_silu(v);
        let left = store(w.xxyy);
        let right = store(w.zzww);
        s[to] = left;
        s[to + 1u] = right;
        s[to + 2u * quads] = left;
        s[to + 2u * quads + 1u] = right;
      }
    } else {
      let at = 4u * line * quads + 2u * column;
      let upper = pairs(at);
      let lower = pairs(at + 2u * quads);
      let v = store(0.25 * (upper + lower));
      y[line * quads + column] = v;
      if (SILU) {
        s[line * quads + column] = store(mp_silu(load(v)));
      }
    }
  }
}

// Sums of neighbours, from two quads of a line.
fn pairs(at: u32) -> vec4f {
  let l = load(x[at]);
  let r = load(x[at + 1u]);
  return vec4f(l.xz, r.xz) + vec4f(l.yw, r.yw);
}
