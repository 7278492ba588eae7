import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type EulerStepParams, reference } from "./reference.js";

/**
 * Euler step of the second-order sampler (Karras et al. 2022, Algorithm 2): from xHat at level t and the network's
 * output to the slope d and to x at the next level. level = [t, next, guidance, churn scale], t > 0.
 */
export const eulerStep = elementwise<EulerStepParams>({
  name: "euler-step",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers({ batch, elements, guided }) {
    const length = batch * elements;
    return [
      read("xHat", length),
      read("dMain", length),
      read("dRef", guided ? length : 0),
      read("level", 4),
      write("x", length),
      write("d", length),
    ];
  },
  flags: ({ guided }) => ({ GUIDED: guided }),
  flops: ({ batch, elements, guided }) => (guided ? 7 : 4) * batch * elements,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, guided: false }, inputs: step(80, 57.6, 1) },
    { name: "odd length", params: { batch: 3, elements: 131, guided: false }, inputs: step(3, 1.9, 1) },
    { name: "odd length, guided", params: { batch: 3, elements: 131, guided: true }, inputs: step(3, 1.9, 2.1) },
    { name: "low noise, guided", params: { batch: 1, elements: 257, guided: true }, inputs: step(0.003, 0.002, 1.4) },
    {
      name: "last step of an image",
      params: { batch: 1, elements: 3 * 32 * 32, guided: false },
      inputs: step(0.002, 0, 1),
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

/** The scalars of a step; the images are a common one and differences of the size of t, as in a sampler. */
function step(t: number, next: number, guidance: number) {
  return (name: string, length: number): Float32Array => {
    if (name === "level") return Float32Array.of(t, next, guidance, 0);
    const salt = name.charCodeAt(name.length - 1);
    return Float32Array.from({ length }, (_, i) => Math.sin(i) + t * Math.sin((i + 1) * (3 + name.length) + salt));
  };
}
