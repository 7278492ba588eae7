// One invocation: 8 rows by 4 columns; the last 4 rows may lie past the end, are computed again and not stored.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  let columns = p.n / 4u;
  let blocks = (p.m + 7u) / 8u;
  if (i >= columns * blocks * p.images) {
    return;
  }
  let column = i % columns;
  let row = ((i / columns) % blocks) * 8u;
  let image = i / (columns * blocks);
  let second = min(row + 4u, p.m - 4u);
  let aStart = image * p.m * p.k / 4u;
  let bStart = image * p.k * columns + column;

  var y0 = vec4f();
  var y1 = vec4f();
  var y2 = vec4f();
  var y3 = vec4f();
  var y4 = vec4f();
  var y5 = vec4f();
  var y6 = vec4f();
  var y7 = vec4f();
  if (TRANSPOSED) {
    let stride = p.m / 4u;
    for (var k = 0u; k < p.k; k++) {
      let v = vec4f(b[bStart + k * columns]);
      let l = vec4f(a[aStart + k * stride + row / 4u]);
      let h = vec4f(a[aStart + k * stride + second / 4u]);
      y0 += l.x * v;
      y1 += l.y * v;
      y2 += l.z * v;
      y3 += l.w * v;
      y4 += h.x * v;
      y5 += h.y * v;
      y6 += h.z * v;
      y7 += h.w * v;
    }
  } else {
    let stride = p.k / 4u;
    let low = aStart + row * stride;
    let high = aStart + second * stride;
    for (var k = 0u; k < stride; k++) {
      let at = bStart + 4u * k * columns;
      let v0 = vec4f(b[at]);
      let v1 = vec4f(b[at + columns]);
      let v2 = vec4f(b[at + 2u * columns]);
      let v3 = vec4f(b[at + 3u * columns]);
      y0 += four(vec4f(a[low + k]), v0, v1, v2, v3);
      y1 += four(vec4f(a[low + stride + k]), v0, v1, v2, v3);
      y2 += four(vec4f(a[low + 2u * stride + k]), v0, v1, v2, v3);
      y3 += four(vec4f(a[low + 3u * stride + k]), v0, v1, v2, v3);
      y4 += four(vec4f(a[high + k]), v0, v1, v2, v3);
      y5 += four(vec4f(a[high + stride + k]), v0, v1, v2, v3);
      y6 += four(vec4f(a[high + 2u * stride + k]), v0, v1, v2, v3);
      y7 += four(vec4f(a[high + 3u * stride + k]), v0, v1, v2, v3);
    }
  }

  let out = (image * p.m + row) * columns + column;
  y[out] = vec4<S>(p.scale * y0);
  y[out + columns] = vec4<S>(p.scale * y1);
  y[out + 2u * columns] = vec4<S>(p.scale * y2);
  y[out + 3u * columns] = vec4<S>(p.scale * y3);
  if (row + 4u < p.m) {
    y[out + 4u * columns] = vec4<S>(p.scale * y4);
    y[out + 5u * columns] = vec4<S>(p.scale * y5);
    y[out + 6u * columns] = vec4<S>(p.scale * y6);
    y[out + 7u * columns] = vec4<S>(p.scale * y7);
  }
}

fn four(w: vec4f, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) -> vec4f {
  return (w.x * v0 + w.y * v1) + (w.z * v2 + w.w * v3);
}
