/** onnxruntime-node on the CPU itself: no peer, but what a software adapter has to be seen beside. */
import { modelShape, taskModel } from "../onnx/model.mjs";

export async function open() {
  const { default: ort } = await import("onnxruntime-node");
  return {
    adapter: null,

    async prepare(_row, task) {
      const session = await ort.InferenceSession.create(taskModel(task), { executionProviders: ["cpu"] });
      const given = {};
      for (const [name, { shape, data }] of Object.entries(task.inputs)) {
        given[name] = new ort.Tensor("float32", data, modelShape(shape, task.result));
      }
      let last;
      return {
        async run() {
          last = Object.values(await session.run(given))[0];
        },
        output: async () => Float32Array.from(last.data),
        release: () => session.release(),
      };
    },
  };
}
