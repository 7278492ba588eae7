// Eight sums of a product, one for each of the rows whose weights stand side by side in a and b: sums[o] += weight[o] v.
fn add_rows(sums: ptr<function, array<vec4f, 8>>, a: vec4f, b: vec4f, v: vec4f) {
  (*sums)[0] += a.x * v;
  (*sums)[1] += a.y * v;
  (*sums)[2] += a.z * v;
  (*sums)[3] += a.w * v;
  (*sums)[4] += b.x * v;
  (*sums)[5] += b.y * v;
  (*sums)[6] += b.z * v;
  (*sums)[7] += b.w * v;
}
