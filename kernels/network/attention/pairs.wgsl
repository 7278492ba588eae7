// The keys of an invocation, two neighbours from pixel `key` on.
const KEYS: u32 = 2u;

fn loadKeys(row: u32, key: u32, pixels: u32) -> array<f32, KEYS> {
  return array<f32, KEYS>(load1(row, 0u, key, pixels), load1(row, 0u, key + 1u, pixels));
}
