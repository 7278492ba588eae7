// One thread computes one element of y.
const MAX_TAPS: u32 = 64u;

fn tap(j: u32) -> f32 {
  return p.filter_taps[j / 4u][j % 4u];
}

// Along one axis, output position q takes f[first + k step] x[start + k stride] for k = 0 .. count-1.
struct Walk {
  first: u32,
  start: i32,
}

fn walk(q: u32) -> Walk {
  let pad = p.taps / 2u - 1u;
  if (UP) {
    let parity = (q + pad) % 2u;
    return Walk(parity, i32((q + pad - parity) / 2u));
  }
  return Walk(0u, i32(2u * q) - i32(pad));
}

fn general(plane: u32, row: u32, column: u32) -> f32 {
  let step = select(1u, 2u, UP);
  let stride = select(1, -1, UP);
  let count = p.taps / step;
  let wr = walk(row);
  let wc = walk(column);
  var sum = 0.0;
  for (var j = 0u; j < MAX_TAPS; j++) {
    if (j >= count) {
      break;
    }
    let r = wr.start + stride * i32(j);
    if (r < 0 || r >= i32(p.height)) {
      continue;
    }
    let line = (plane * p.height + u32(r)) * p.width;
    var line_sum = 0.0;
    for (var k = 0u; k < MAX_TAPS; k++) {
      if (k >= count) {
        break;
      }
      let c = wc.start + stride * i32(k);
      if (c >= 0 && c < i32(p.width)) {
        line_sum += tap(wc.first + k * step) * f32(x[line + u32(c)]);
      }
    }
    sum += tap(wr.first + j * step) * line_sum;
  }
  return sum;
}

fn box(plane: u32, row: u32, column: u32) -> f32 {
  if (UP) {
    return f32(x[(plane * p.height + row / 2u) * p.width + column / 2u]);
  }
  let o = (plane * p.height + 2u * row) * p.width + 2u * column;
  let upper = f32(x[o]) + f32(x[o + 1u]);
  let lower = f32(x[o + p.width]) + f32(x[o + p.width + 1u]);
  return 0.25 * (upper + lower);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i >= p.planes * p.out_height * p.out_width) {
    return;
  }
  let line = i / p.out_width;
  let column = i - line * p.out_width;
  let plane = line / p.out_height;
  let row = line - plane * p.out_height;
  var v: f32;
  if (BOX) {
    v = box(plane, row, column);
  } else {
    v = general(plane, row, column);
  }
  y[i] = S(v);
  if (SILU) {
    s[i] = S(mp_silu(f32(S(v))));
  }
}
