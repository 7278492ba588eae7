// Single pixels of images of whole quads. One invocation: a quad of channels of a quad of pixels. The places of a panel that
// are there are whole quads as well.
alias V = vec4<S>;

fn load(at: u32, real: bool) -> vec4f {
  return select(vec4f(), vec4f(x[at / 4u]), real);
}

fn each(t: u32) {
  let cell = t / 8u;
  let place = placeOf(cell, t / 2u % 4u * 4u, t);
  let size = p.height * p.width;
  let which = p.first + min(place.at, p.places - 4u);
  let n = which / size;
  let c = planesOf(n, place.channel) + (which - n * size);
  let v0 = load(c.x, place.real > 0u);
  let v1 = load(c.y, place.real > 1u);
  let v2 = load(c.z, place.real > 2u);
  let v3 = load(c.w, place.real > 3u);
  let at = cell * 32u + t / 2u % 4u * 8u + t % 2u;
  v[at] = vec4f(v0.x, v1.x, v2.x, v3.x);
  v[at + 2u] = vec4f(v0.y, v1.y, v2.y, v3.y);
  v[at + 4u] = vec4f(v0.z, v1.z, v2.z, v3.z);
  v[at + 6u] = vec4f(v0.w, v1.w, v2.w, v3.w);
}
