// A window around every pixel, or single pixels of images of any size. One invocation: a quad of channels of one pixel.
alias V = S;

fn each(t: u32) {
  let cell = t / 32u;
  let place = placeOf(cell, t / 2u % 16u, t);
  let which = p.first + min(place.at, p.places - 1u);
  let line = which / p.width;
  let col = i32(which - line * p.width);
  let n = line / p.height;
  let row = i32(line - n * p.height);
  let images = planesOf(n, place.channel);
  var at = cell * u32(WINDOW * WINDOW) * 32u + t % 32u;
  for (var i = 0; i < WINDOW; i++) {
    for (var j = 0; j < WINDOW; j++) {
      let r = row + i - WINDOW / 2;
      let s = col + j - WINDOW / 2;
      let inside = r >= 0 && r < i32(p.height) && s >= 0 && s < i32(p.width);
      let q = images + u32(clamp(r, 0, i32(p.height) - 1)) * p.width + u32(clamp(s, 0, i32(p.width) - 1));
      let values = vec4f(f32(x[q.x]), f32(x[q.y]), f32(x[q.z]), f32(x[q.w]));
      v[at] = select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) < vec4u(select(0u, place.real, inside)));
      at += 32u;
    }
  }
}
