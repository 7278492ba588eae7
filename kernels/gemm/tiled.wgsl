// For GPUs: a tile of 64 rows x 64 columns per workgroup, 16 k at a time through workgroup memory (8 KiB); an invocation
// holds 8 rows of two quads. All 64 invocations take part in every barrier.
const STEP: u32 = 16u;

var<workgroup> wTile: array<vec4f, 256>;
var<workgroup> xTile: array<vec4f, 256>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let total = p.live;
  let rowGroups = (p.rows + 7u) / 8u;
  let rowTiles = (p.rows + 63u) / 64u;
  let columnTiles = (total + 15u) / 16u;
  let t = wid.y * nwg.x + wid.x;
  // Workgroups past the last tile of a folded grid leave together.
  if (t >= rowTiles * columnTiles * p.groups) {
    return;
  }
  let rowTile = t % rowTiles;
  let columnTile = (t / rowTiles) % columnTiles;
  let group = t / (rowTiles * columnTiles);

  // Loading: this invocation brings quad `lid % 16` of the lines lid / 16, + 4, + 8, + 12.
  let lane = lid % 16u;
  let line = lid / 16u;
  let loadColumn = columnTile * 16u + lane;
  let xInside = loadColumn < total;
  let step = p.groups * p.quads;
  let xBase = select(0u, loadColumn / p.quads * p.depth * step + group * p.quads + loadColumn % p.quads, xInside);
  let wGroup = rowTile * 8u + lane / 2u;
  let wInside = wGroup < rowGroups;
  let wBase = select(0u, (group * rowGroups + wGroup) * p.packedDepth * 2u + lane % 2u, wInside);

  let across = lid % 8u;
  let down = lid / 8u;
  var left: array<vec4f, 8>;
  var right: array<vec4f, 8>;
  for (var k0 = 0u; k0 < p.depth; k0 += STEP) {
    for (var i = line; i < STEP; i += 4u) {
      var xv = vec4f();
      var wv = vec4f();
      if (k0 + i < p.depth) {
        if (xInside) {
          xv = vec4f(x[xBase + (k0 + i) * step]);
        }
        if (wInside) {
          wv = weight4(w[wBase + (k0 + i) * 2u]);
        }
      }
      xTile[i * 16u + lane] = xv;
      wTile[i * 16u + lane] = wv;
    }
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {
      let a = wTile[k * 16u + down * 2u];
      let b = wTile[k * 16u + down * 2u + 1u];
      let u = xTile[k * 16u + across];
      let v = xTile[k * 16u + across + 8u];
      left[0] += a.x * u;
      left[1] += a.y * u;
      left[2] += a.z * u;
      left[3] += a.w * u;
      left[4] += b.x * u;
      left[5] += b.y * u;
      left[6] += b.z * u;
      left[7] += b.w * u;
      right[0] += a.x * v;
      right[1] += a.y * v;
      right[2] += a.z * v;
      right[3] += a.w * v;
      right[4] += b.x * v;
      right[5] += b.y * v;
      right[6] += b.z * v;
      right[7] += b.w * v;
    }
    workgroupBarrier();
  }

  for (var side = 0u; side < 2u; side++) {
    let column = columnTile * 16u + side * 8u + across;
    if (column < total) {
      let image = column / p.quads;
      for (var i = 0u; i < 8u; i++) {
        let row = rowTile * 64u + down * 8u + i;
        if (row < p.rows) {
          let at = (image * p.rows + row) * step + group * p.quads + column % p.quads;
          put(at, select(left[i], right[i], side == 1u), image, row);
        }
      }
    }
  }
}
