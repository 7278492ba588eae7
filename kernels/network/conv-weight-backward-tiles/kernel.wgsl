// Winograd transforms for the weight gradient of a 3x3 convolution (Lavin & Gray 2016; points and constants in
// kernels/lib/winograd.ts). With Y = A^T [(G w G^T) * (B^T d B)] A for every tile, the derivative by w is
// G^T [sum over tiles of (B^T d B) * (A g A^T)] G, g the gradient of Y. This is B^T d B of the input or A g A^T.
//
//   x [N, C, H, W]   v [panels][octets of C][(m + 2)^2][16 tiles][8 channels] f32 (kernels/lib/channel-operand.ts)
//
// One invocation: a quad of channels of one tile, one component of a vec4 each. The rest is in input2.wgsl, input4.wgsl,
// gradient2.wgsl, gradient4.wgsl, one of them in front of this text. No workgroup memory, no barriers.
struct Params {
  channels: u32,
  octets: u32,
  height: u32,
  width: u32,
  tilesX: u32,
  tilesY: u32,
  // The first tile of v and how many it holds.
  firstTile: u32,
  tiles: u32,
  // Rows of a patch, and m + 2.
  rows: u32,
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<S>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;

// Four channels of a pixel, of which `real` are there. A clamped index keeps the loads inside the buffer; what lies outside the
// image, past the last channel or past the last tile is zero.
fn pixel(images: vec4u, real: u32, row: i32, col: i32) -> vec4f {
  let inside = row >= 0 && row < i32(p.height) && col >= 0 && col < i32(p.width);
  let at = u32(clamp(row, 0, i32(p.height) - 1)) * p.width + u32(clamp(col, 0, i32(p.width) - 1));
  let i = images + at;
  let values = vec4f(f32(x[i.x]), f32(x[i.y]), f32(x[i.z]), f32(x[i.w]));
  return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) < vec4u(select(0u, real, inside)));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let cell = t / 32u;
  let octet = cell % p.octets;
  let panel = cell / p.octets;
  if (panel * 16u >= p.tiles) {
    return;
  }
  let place = panel * 16u + t / 2u % 16u;
  let which = p.firstTile + min(place, p.tiles - 1u);
  let tx = which % p.tilesX;
  let ty = which / p.tilesX % p.tilesY;
  let n = which / p.tilesX / p.tilesY;
  let channel = octet * 8u + t % 2u * 4u;
  let real = select(0u, p.channels - min(p.channels, channel), place < p.tiles);
  let images = (n * p.channels + min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(p.channels - 1u))) * (p.height * p.width);
  // Loops that take their length from the uniform stay loops: unrolled, they cost software adapters seconds of compilation.
  // For the same reason d is moved along instead of indexed.
  var d: Patch;
  for (var i = 0; i < i32(p.rows); i++) {
    for (var k = 0; k + 1 < ROWS; k++) {
      d[k] = d[k + 1];
    }
    d[ROWS - 1] = line(images, real, i32(ty) * TILE - BEFORE + i, i32(tx) * TILE - BEFORE);
  }
  var at = cell * p.lines * p.lines * 32u + t % 32u;
  for (var i = 0u; i < p.lines; i++) {
    let w = weights(i);
    for (var j = 0; j < TILE + 2; j++) {
      var sum = w[0] * d[0][j];
      for (var k = 1; k < ROWS; k++) {
        sum += w[k] * d[k][j];
      }
      v[at] = sum;
      at += 32u;
    }
  }
}
