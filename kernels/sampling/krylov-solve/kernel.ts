import { update, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type KrylovSolveParams, reference } from "./reference.js";

/** The least squares problem of GMRES per image: h [N, iterations + 1, iterations + 1], by columns, to c [N, iterations]. All f32. */
export const krylovSolve = elementwise<KrylovSolveParams>({
  name: "krylov-solve",
  group: "sampling",
  source,
  counts: ({ batch, iterations }) => ({ batch, iterations }),
  threads: ({ batch }) => batch,
  buffers: ({ batch, iterations }) => [update("h", batch * (iterations + 1) ** 2), write("c", batch * iterations)],
  flops: ({ batch, iterations }) => 4 * batch * (iterations + 1) ** 3,
  reference,
  cases: [
    { name: "one step", params: { batch: 1, iterations: 1 }, inputs: hessenberg },
    { name: "five images, three steps", params: { batch: 5, iterations: 3 }, inputs: hessenberg },
    { name: "an exhausted space", params: { batch: 2, iterations: 4 }, inputs: exhausted },
    { name: "many images, five steps", params: { batch: 131, iterations: 5 }, inputs: hessenberg },
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
});

/** Well-conditioned: a large diagonal. What lies below the diagonal's neighbour is not looked at. */
function hessenberg(buffer: string, length: number, random: () => number): Float32Array | undefined {
  if (buffer !== "h") return undefined;
  const side = [2, 3, 4, 5, 6].find((s) => length % (s * s) === 0 && [1, 5, 2, 131].includes(length / (s * s)))!;
  return Float32Array.from({ length }, (_, i) => {
    const [row, column] = [i % side, Math.floor(i / side) % side];
    return (row === column - 1 ? 3 : 0) + 0.3 * random() + (row === 0 && column === 0 ? 2 : 0);
  });
}

/** The second step finds nothing new, and nothing comes after it; the second image has no right-hand side at all. */
function exhausted(buffer: string): Float32Array | undefined {
  if (buffer !== "h") return undefined;
  const columns = [
    [1.5, 0, 0, 0, 0],
    [2, 0.5, 0, 0, 0],
    [0.5, 1.25, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
  ].flat();
  return Float32Array.from([...columns, ...columns.map(() => 0)]);
}
