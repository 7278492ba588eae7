import type { Caps } from "../../src/gpu/contract.js";
import { storedLanes } from "./lanes.js";

/**
 * WGSL that reads and writes rows of pixels by quads, from the buffers of these names (array<V>), and the variant's key:
 * `loadX(row, quad, last)` and `storeX(row, quad, value, pixels)` for buffer x. Rows of a multiple of 4 pixels are read
 * four at a time. Past the last pixel of a row, that pixel (or quad) is read again and nothing is stored; `last` is its number,
 * in units of V, of which a row has `rowLength`.
 */
export function attentionRows(
  { pixels, reads, writes }: { pixels: number; reads: readonly string[]; writes: readonly string[] },
  caps: Caps,
): { readonly key: string; readonly text: string } {
  const capital = (name: string) => name[0]!.toUpperCase() + name.slice(1);
  if (pixels % 4 === 0) {
    const lanes = storedLanes(4, "S", caps);
    const loads = reads.map(
      (name) => `
fn load${capital(name)}(row: u32, quad: u32, last: u32) -> vec4f {
  return load(${name}[row + min(quad, last)]);
}`,
    );
    const stores = writes.map(
      (name) => `
fn store${capital(name)}(row: u32, quad: u32, v: vec4f, pixels: u32) {
  ${name}[row + quad] = store(v);
}`,
    );
    const length = "fn rowLength(pixels: u32) -> u32 {\n  return pixels / 4u;\n}\n";
    return { key: lanes.key, text: `${lanes.prelude}${length}${loads.join("")}${stores.join("")}\n` };
  }
  const loads = reads.map(
    (name) => `
fn load${capital(name)}(row: u32, quad: u32, last: u32) -> vec4f {
  let a = f32(${name}[row + min(4u * quad, last)]);
  let b = f32(${name}[row + min(4u * quad + 1u, last)]);
  let c = f32(${name}[row + min(4u * quad + 2u, last)]);
  let d = f32(${name}[row + min(4u * quad + 3u, last)]);
  return vec4f(a, b, c, d);
}`,
  );
  const stores = writes.map(
    (name) => `
fn store${capital(name)}(row: u32, quad: u32, v: vec4f, pixels: u32) {
  for (var j = 0u; j < MANY; j++) {
    if (j >= min(4u, pixels - 4u * quad)) {
      break;
    }
    ${name}[row + 4u * quad + j] = S(v[j]);
  }
}`,
  );
  const length = "fn rowLength(pixels: u32) -> u32 {\n  return pixels;\n}\n";
  return { key: "scalar", text: `alias V = S;\n${length}${loads.join("")}${stores.join("")}\n` };
}
