// For GPUs: a workgroup owns PIXELS of pixels (units of F), SLICES invocations share a pixel's channels. An invocation keeps its
// TURNS values in registers, so that x is read once, and no load waits for another. WORKGROUP = PIXELS * SLICES; the host
// counts in UNIT of F.
const HALVINGS: u32 = countTrailingZeros(SLICES);

var<workgroup> partial: array<F, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let own = lid % PIXELS;
  let slice = lid / PIXELS;
  let i = (wid.y * nwg.x + wid.x) * PIXELS + own;
  let pixels = UNIT * p.pixels;
  let last = UNIT * p.threads - 1u;
  // Past the last pixel it is read again and not stored; past the last channel, that one.
  let n = min(i, last) / pixels;
  let first = n * p.channels * pixels + (min(i, last) - n * pixels);
  var values: array<F, TURNS>;
  var squares = F(0.0);
  for (var k = 0u; k < TURNS; k++) {
    let c = slice + SLICES * k;
    values[k] = load(x[first + min(c, p.channels - 1u) * pixels]);
    squares += select(F(0.0), values[k] * values[k], c < p.channels);
  }
  partial[lid] = squares;
  workgroupBarrier();
  for (var level = 1u; level <= HALVINGS; level++) {
    let half = SLICES >> level;
    if (slice < half) {
      partial[lid] += partial[lid + half * PIXELS];
    }
    workgroupBarrier();
  }
  let scale = F(1.0) / (F(1e-4) + sqrt(partial[own] / F(f32(p.channels))));
  if (i > last) {
    return;
  }
  for (var k = 0u; k < TURNS; k++) {
    let c = slice + SLICES * k;
    if (c < p.channels) {
      let v = values[k] * scale;
      let at = first + c * pixels;
      y[at] = store(v);
      if (SILU) {
        s[at] = store(mp_silu(v));
      }
    }
  }
}
