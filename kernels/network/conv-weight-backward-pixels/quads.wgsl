// Single pixels of images of whole quads. One invocation: a quad of channels of a quad of pixels. The places of a panel that
// are there are whole quads as well.
alias V = vec4<S>;

fn load(at: u32, real: bool) -> vec4f {
  return select(vec4f(), vec4f(x[at / 4u]), real);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  let cell = t / 8u;
  // Remainders by multiplication: software adapters divide lane by lane.
  let panel = cell / p.octets;
  let octet = cell - panel * p.octets;
  if (panel * 16u >= p.pixels) {
    return;
  }
  let size = p.height * p.width;
  let place = panel * 16u + t / 2u % 4u * 4u;
  let which = p.firstPixel + min(place, p.pixels - 4u);
  let n = which / size;
  let channel = octet * 8u + t % 2u * 4u;
  let real = select(0u, p.channels - min(p.channels, channel), place < p.pixels);
  let first = n * p.channels * size + (which - n * size);
  let c = min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(p.channels - 1u)) * size;
  let v0 = load(first + c.x, real > 0u);
  let v1 = load(first + c.y, real > 1u);
  let v2 = load(first + c.z, real > 2u);
  let v3 = load(first + c.w, real > 3u);
  let at = cell * 32u + t / 2u % 4u * 8u + t % 2u;
  v[at] = vec4f(v0.x, v1.x, v2.x, v3.x);
  v[at + 2u] = vec4f(v0.y, v1.y, v2.y, v3.y);
  v[at + 4u] = vec4f(v0.z, v1.z, v2.z, v3.z);
  v[at + 6u] = vec4f(v0.w, v1.w, v2.w, v3.w);
}
