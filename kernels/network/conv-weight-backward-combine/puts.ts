/** Input channels that are a multiple of four: a quad's taps are `side`^2 quads of y, from y[at / 4] on. */
export function quadPuts(side: 1 | 3): string {
  const taps = side * side;
  const value = (k: number) => {
    const tap = k % taps;
    return `(*g)[${Math.floor(tap / side)}][${tap % side}].${"xyzw"[Math.floor(k / taps)]}`;
  };
  const puts = Array.from(
    { length: taps },
    (_, q) => `  y[at / 4u + ${q}u] = vec4f(${[0, 1, 2, 3].map((i) => value(4 * q + i)).join(", ")});`,
  );
  return `alias V = vec4f;\n\nfn put(at: u32, channel: u32, g: ptr<function, Taps>) {\n${puts.join("\n")}\n}\n`;
}
