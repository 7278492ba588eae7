// For GPUs: an invocation for one tile of a channel, neighbouring tiles in neighbouring invocations, so that v is written in
// runs. Everything is in registers and straight-line. After pixels-*.wgsl, which has `pixel` and `quad`, and TILE, SIDE = TILE + 2.
alias D = f32;
alias Line = array<D, SIDE>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let b = blockOf(t / 4u);
  if (t >= 4u * p.threads) {
    return;
  }
  // Blocks past the last fill their panel with zeros.
  let real = b.place < p.blocks;
  let image = (select(0u, b.image, real) * p.channels + b.channel) * p.height;
  let row = i32(b.row + TILE * (t / 2u % 2u)) - 1;
  let col = b.col + TILE * (t % 2u);
  var d: array<Line, SIDE>;
  for (var i = 0u; i < SIDE; i++) {
    let at = row + i32(i);
    let visible = real && at >= 0 && at < i32(p.height);
    d[i] = line((image + u32(clamp(at, 0, i32(p.height) - 1))) * p.width, col, visible);
  }
  let first = 4u * b.first + t % 4u;
  for (var j = 0u; j < SIDE; j++) {
    let l = column(d, j);
    for (var i = 0u; i < SIDE; i++) {
      v[first + (i * SIDE + j) * 4u * b.step] = l[i];
    }
  }
}
