import { ModelBuilder } from "./builder.mjs";
import { onnxOps } from "./ops.mjs";

/** Shape of an input in the model: maps get a batch of one. */
export function modelShape(shape, { layout }) {
  return layout === "map" && shape.length === 3 ? [1, ...shape] : [...shape];
}

/** A row as an ONNX file's bytes. Its inputs have the names of the task's, its only output is the result. */
export function taskModel({ inputs, compute, result }) {
  const model = new ModelBuilder();
  const ops = onnxOps(model);
  const values = Object.entries(inputs).map(([name, { shape }]) => [name, ops.input(name, modelShape(shape, result))]);
  model.output(compute(ops, Object.fromEntries(values)), modelShape(result.shape, result));
  return model.finish();
}

/** A model that hands its input on. */
export function identityModel(shape) {
  const model = new ModelBuilder();
  model.output(model.node("Identity", [model.input("x", shape)]), shape);
  return model.finish();
}
