// For GPUs: a tile of 64 rows x 64 columns per workgroup, 16 k at a time through workgroup memory (8 KiB); an invocation
// holds 8 rows of two quads. All 64 invocations take part in every barrier.
const STEP: u32 = 16u;

// Quads of rows of op(a), and of columns of b, 16 for each k.
var<workgroup> aTile: array<vec4f, 256>;
var<workgroup> bTile: array<vec4f, 256>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let columns = p.n / 4u;
  let rowTiles = (p.m + 63u) / 64u;
  let columnTiles = (columns + 15u) / 16u;
  let t = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (t >= rowTiles * columnTiles * p.images) {
    return;
  }
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let image = t / (rowTiles * columnTiles);

  // Loading: this invocation brings quad `lid % 16` of the lines 4 (lid / 16) + 0, 1, 2, 3. Quads past the last row or
  // column repeat it and are not stored; lines past the last k are zero.
  let lane = lid % 16u;
  let line = 4u * (lid / 16u);
  let rowQuad = min(rowTile * 16u + lane, p.m / 4u - 1u);
  let aBase = image * p.m * p.k / 4u;
  let bBase = image * p.k * columns + min(columnTile * 16u + lane, columns - 1u);

  let across = lid % 8u;
  let down = lid / 8u;
  var left: array<vec4f, 8>;
  var right: array<vec4f, 8>;
  for (var turn = 0u; turn < MANY; turn++) {
    let k0 = STEP * turn;
    if (k0 >= p.k) {
      break;
    }
    var a0 = vec4f();
    var a1 = vec4f();
    var a2 = vec4f();
    var a3 = vec4f();
    var b0 = vec4f();
    var b1 = vec4f();
    var b2 = vec4f();
    var b3 = vec4f();
    let k = k0 + line;
    // k is a multiple of 4: all four lines or none.
    if (k < p.k) {
      if (TRANSPOSED) {
        let at = aBase + k * (p.m / 4u) + rowQuad;
        a0 = vec4f(a[at]);
        a1 = vec4f(a[at + p.m / 4u]);
        a2 = vec4f(a[at + 2u * (p.m / 4u)]);
        a3 = vec4f(a[at + 3u * (p.m / 4u)]);
      } else {
        let at = aBase + (4u * rowQuad * p.k + k) / 4u;
        let r0 = vec4f(a[at]);
        let r1 = vec4f(a[at + p.k / 4u]);
        let r2 = vec4f(a[at + 2u * (p.k / 4u)]);
        let r3 = vec4f(a[at + 3u * (p.k / 4u)]);
        a0 = vec4f(r0.x, r1.x, r2.x, r3.x);
        a1 = vec4f(r0.y, r1.y, r2.y, r3.y);
        a2 = vec4f(r0.z, r1.z, r2.z, r3.z);
        a3 = vec4f(r0.w, r1.w, r2.w, r3.w);
      }
      let at = bBase + k * columns;
      b0 = vec4f(b[at]);
      b1 = vec4f(b[at + columns]);
      b2 = vec4f(b[at + 2u * columns]);
      b3 = vec4f(b[at + 3u * columns]);
    }
    let to = line * 16u + lane;
    aTile[to] = a0;
    aTile[to + 16u] = a1;
    aTile[to + 32u] = a2;
    aTile[to + 48u] = a3;
    bTile[to] = b0;
    bTile[to + 16u] = b1;
    bTile[to + 32u] = b2;
    bTile[to + 48u] = b3;
    workgroupBarrier();
    for (var i = 0u; i < STEP; i++) {
      let l = aTile[i * 16u + down * 2u];
      let h = aTile[i * 16u + down * 2u + 1u];
      let u = bTile[i * 16u + across];
      let v = bTile[i * 16u + across + 8u];
      left[0] += l.x * u;
      left[1] += l.y * u;
      left[2] += l.z * u;
      left[3] += l.w * u;
      left[4] += h.x * u;
      left[5] += h.y * u;
      left[6] += h.z * u;
      left[7] += h.w * u;
      right[0] += l.x * v;
      right[1] += l.y * v;
      right[2] += l.z * v;
      right[3] += l.w * v;
      right[4] += h.x * v;
      right[5] += h.y * v;
      right[6] += h.z * v;
      right[7] += h.w * v;
    }
    workgroupBarrier();
  }

  for (var side = 0u; side < 2u; side++) {
    let column = columnTile * 16u + side * 8u + across;
    if (column < columns) {
      for (var i = 0u; i < 8u; i++) {
        let row = rowTile * 64u + down * 8u + i;
        if (row < p.m) {
          y[(image * p.m + row) * columns + column] = vec4<S>(p.scale * select(left[i], right[i], side == 1u));
        }
      }
    }
  }
}
