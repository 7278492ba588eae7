// A window around every pixel, or single pixels of images of any size. One invocation: a quad of channels of one pixel.
alias V = S;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let cell = t / 32u;
  // Remainders by multiplication: software adapters divide lane by lane.
  let panel = cell / p.octets;
  let octet = cell - panel * p.octets;
  if (panel * 16u >= p.pixels) {
    return;
  }
  let place = panel * 16u + t / 2u % 16u;
  let which = p.firstPixel + min(place, p.pixels - 1u);
  let line = which / p.width;
  let col = i32(which - line * p.width);
  let n = line / p.height;
  let row = i32(line - n * p.height);
  let channel = octet * 8u + t % 2u * 4u;
  let real = select(0u, p.channels - min(p.channels, channel), place < p.pixels);
  let images = (n * p.channels + min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(p.channels - 1u))) * (p.height * p.width);
  var at = cell * u32(WINDOW * WINDOW) * 32u + t % 32u;
  for (var i = 0; i < WINDOW; i++) {
    for (var j = 0; j < WINDOW; j++) {
      let r = row + i - WINDOW / 2;
      let s = col + j - WINDOW / 2;
      let inside = r >= 0 && r < i32(p.height) && s >= 0 && s < i32(p.width);
      let q = images + u32(clamp(r, 0, i32(p.height) - 1)) * p.width + u32(clamp(s, 0, i32(p.width) - 1));
      let values = vec4f(f32(x[q.x]), f32(x[q.y]), f32(x[q.z]), f32(x[q.w]));
      v[at] = select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) < vec4u(select(0u, real, inside)));
      at += 32u;
    }
  }
}
