/** A training step of the U-Net in jax-js. */
import { ADAM } from "../network/training.mjs";
import { jaxTraining } from "./jax-adam.mjs";
import { jaxOps } from "./jax-ops.mjs";

export function jaxTrain(jax, training) {
  const ops = jaxOps(jax);
  const names = Object.keys(training.inputs);
  const given = names.map((name) => {
    const { shape, data } = training.inputs[name];
    return jax.numpy.array(data, { shape });
  });
  const loss = (p, ...values) =>
    training.loss(ops, (name) => p[name], Object.fromEntries(names.map((name, i) => [name, values[i]])));
  return jaxTraining(jax, training, loss, ADAM, given);
}
