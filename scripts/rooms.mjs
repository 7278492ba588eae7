// The rooms of the house, from the ground up. A room imports itself and the lines below its own; rooms on one line don't
// know each other. test/architecture.test.ts holds the code to it, scripts/draw-rooms.mjs draws it for docs/architecture.md.

/** Lines from the bottom to the top; each room is a folder whose own files (not its subfolders that are rooms) it owns. */
export const rooms = [
  ["src/errors.ts"],
  ["src/gpu", "src/checkpoint", "src/image"],
  ["kernels"],
  ["src/graph"],
  ["src/layers", "src/random"],
  ["src/networks"],
  ["src/networks/edm2", "src/networks/vae", "src/networks/features"],
  ["src/operators"],
  ["src/sample"],
  ["src/evaluate", "src/data", "src/setup"],
  ["src/runs"],
  ["src/measure"],
  ["src/cli", "bench", "src/index.ts"],
];
