/** jax-js: the whole row as one jitted function. */
import { settle } from "../../../dist/src/gpu/wait.js";
import { actAsBrowser, adapterName } from "./browser.mjs";
import { jaxDisco } from "./jax-disco.mjs";
import { jaxOps } from "./jax-ops.mjs";
import { jaxTrain } from "./jax-train.mjs";

export async function open() {
  await actAsBrowser();
  const jax = await import("@jax-js/jax");
  const devices = await jax.init("webgpu");
  if (!devices.includes("webgpu")) throw new Error("its WebGPU backend does not start");
  jax.defaultDevice("webgpu");
  return {
    adapter: adapterName(jax.getWebGPUDevice()),

    async prepare(_row, { disco, training, inputs, compute, result }) {
      if (disco || training) {
        const step = disco ? jaxDisco(jax, disco) : jaxTrain(jax, training);
        return { run: () => step.run(settle), output: () => step.output(settle), release: () => step.release() };
      }
      const isMap = result.layout === "map";
      const ops = jaxOps(jax);
      const names = Object.keys(inputs);
      const given = names.map((name) => {
        const { shape, data } = inputs[name];
        return jax.numpy.array(data, { shape: isMap && shape.length === 3 ? [1, ...shape] : shape });
      });
      const evaluate = jax.jit((...values) =>
        compute(ops, Object.fromEntries(names.map((name, i) => [name, values[i]]))),
      );
      let last;
      return {
        async run() {
          last?.dispose();
          last = evaluate(...given.map((x) => x.ref));
          await settle(jax.blockUntilReady(last));
        },
        output: async () => Float32Array.from(await settle(last.ref.data())),
        release() {
          for (const value of [last, ...given]) value?.dispose();
          evaluate.dispose();
        },
      };
    },
  };
}
