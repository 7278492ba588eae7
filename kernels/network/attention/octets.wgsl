// The keys of an invocation, eight neighbours from pixel `key` on.
const KEYS: u32 = 8u;

fn loadKeys(row: u32, key: u32, pixels: u32) -> array<f32, KEYS> {
  let a = load4(row, key / 4u, pixels);
  let b = load4(row, key / 4u + 1u, pixels);
  return array<f32, KEYS>(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}
