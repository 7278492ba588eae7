/** A training step of the U-Net in TensorFlow.js: its own derivatives, its own Adam. */
import { ADAM, joined } from "../network/training.mjs";
import { tfjsOps } from "./tfjs-ops.mjs";

/** @param {{ finish(): Promise<void>, settle<T>(promise: Promise<T>): Promise<T> }} wait */
export function tfjsTrain(tf, { shapes, parameters, inputs, loss }, { finish, settle }) {
  const ops = tfjsOps(tf);
  const variables = new Map(
    [...parameters].map(([name, data]) => [name, tf.variable(ops.fromWeight(data, shapes.get(name)))]),
  );
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      shape.length === 4 ? ops.fromMap(data, shape) : tf.tensor(data, shape),
    ]),
  );
  const { lr, beta1, beta2, eps } = ADAM;
  const optimiser = tf.train.adam(lr, beta1, beta2, eps);
  const list = [...variables.values()];
  return {
    async run() {
      optimiser.minimize(() => loss(ops, (name) => variables.get(name), given), false, list);
      await finish();
    },
    /** The gradient of the first step, as its moments have it. */
    async output() {
      const [, ...moments] = await optimiser.getWeights();
      const all = [];
      for (const { tensor } of moments.slice(0, list.length)) all.push(await settle(ops.toWeight(tensor).data()));
      return joined(all, Float32Array, 1 / (1 - beta1));
    },
    release() {
      optimiser.dispose();
      for (const tensor of [...list, ...Object.values(given), ...ops.constants()]) tensor.dispose();
    },
  };
}
