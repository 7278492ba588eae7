// Winograd transforms for the weight gradient of a 3x3 convolution (Lavin & Gray 2016; points and constants in
// kernels/lib/winograd.ts). With Y = A^T [(G w G^T) * (B^T d B)] A for every tile, the derivative by w is
// G^T [sum over tiles of (B^T d B) * (A g A^T)] G, g the gradient of Y. This is B^T d B of the input or A g A^T.
//
//   x [N, C, H, W]   v [panels][octets of C][(m + 2)^2][16 tiles][8 channels] f32 (kernels/lib/channel-operand.ts)
//
// One invocation: a quad of channels of one tile, one component of a vec4 each. The rest is in input2.wgsl, input4.wgsl,
// gradient2.wgsl, gradient4.wgsl and in load-scalars.wgsl, load-quads.wgsl, one of each in front of this text. No workgroup
// memory, no barriers.
struct Params {
  threads: u32,
  channels: u32,
  octets: u32,
  height: u32,
  width: u32,
  tilesX: u32,
  tilesY: u32,
  // The first tile of v and how many it holds.
  first: u32,
  places: u32,
  // Rows of a patch, and m + 2.
  rows: u32,
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;

// A row of a patch, the row transformed, and the patch.
alias Pixels = array<vec4f, ROWS>;
alias D = vec4f;
alias Line = array<D, TILE + 2>;
alias Patch = array<Line, ROWS>;

fn each(t: u32) {
  let cell = t / 32u;
  let place = placeOf(cell, t / 2u % 16u, t);
  let which = p.first + min(place.at, p.places - 1u);
  let tileRow = which / p.tilesX;
  let tx = which - tileRow * p.tilesX;
  let n = tileRow / p.tilesY;
  let ty = tileRow - n * p.tilesY;
  let images = planesOf(n, place.channel);
  // Loops that take their length from the uniform stay loops: unrolled, they cost software adapters seconds of compilation.
  // For the same reason d is moved along instead of indexed.
  var d: Patch;
  for (var row = 0u; row < MANY; row++) {
    if (row >= p.rows) {
      break;
    }
    let i = i32(row);
    for (var k = 0; k < ROWS - 1; k++) {
      d[k] = d[k + 1];
    }
    d[ROWS - 1] = line(load(images, place.real, i32(ty) * TILE - BEFORE + i, i32(tx) * TILE - BEFORE));
  }
  var at = cell * p.lines * p.lines * 32u + t % 32u;
  for (var i = 0u; i < MANY; i++) {
    if (i >= p.lines) {
      break;
    }
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
