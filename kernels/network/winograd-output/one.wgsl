// For GPUs: an invocation for one tile of a channel, neighbouring tiles in neighbouring invocations, so that m is read in
// runs. Everything is in registers and straight-line. After TILE, SIDE = TILE + 2, `across`, `down` and `put_row`.
alias D = f32;
alias Line = array<D, TILE>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let b = blockOf(t / 4u);
  if (t >= 4u * p.threads || b.place >= p.blocks) {
    return;
  }
  var factor = 0.0;
  if (EPILOGUE == 1u) {
    factor = c[b.image * p.scaleStride + p.scaleOffset + p.firstChannel + b.channel];
  }
  let row = b.row + TILE * (t / 2u % 2u);
  let col = b.col + TILE * (t % 2u);
  let base = ((b.image * p.ofChannels + p.firstChannel + b.channel) * p.height + row) * p.width + col;
  let first = 4u * b.first + t % 4u;
  let step = 4u * b.step;
  var rows: array<Line, SIDE>;
  for (var i = 0u; i < SIDE; i++) {
    rows[i] = across(first + i * SIDE * step, step);
  }
  var columns: array<Line, TILE>;
  for (var j = 0u; j < TILE; j++) {
    columns[j] = down(rows, j);
  }
  for (var i = 0u; i < TILE; i++) {
    put_row(base + i * p.width, col, row + i < p.height, columns, i, factor);
  }
}
