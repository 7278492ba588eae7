/** How sums are stored: quads of columns, or, where `done`, as taps of a gradient, which lie beside each other. */
export function storing(done: boolean): string {
  const put = done
    ? [0, 1, 2, 3].map((i) => `  y[(at * 4u + ${i}u) * p.groups + group] = v[${i}];`).join("\n")
    : "  y[at] = v;";
  const type = done ? "f32" : "vec4f";
  return `alias Y = ${type};\nconst DONE: bool = ${done};\n\nfn put(at: u32, group: u32, v: vec4f) {\n${put}\n}\n`;
}
