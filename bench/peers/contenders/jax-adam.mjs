/** Training in jax-js, as one writes it there: a loss differentiated automatically, and Adam, in one jitted function. */
import { joined } from "../network/training.mjs";

/**
 * @param {(p: Record<string, any>, ...given: any[]) => any} loss a number, of parameters by name
 * @param step its parameters' `shapes` and values, `parameters` @param adam settings, for the first step @param given arrays that the
 * loss takes besides
 */
export function jaxTraining(jax, { shapes, parameters }, loss, adam, given) {
  const { numpy: np } = jax;
  const names = [...shapes.keys()];
  const { lr, beta1, beta2, eps } = adam;
  const step = jax.jit((p, m, v, ...values) => {
    const g = jax.grad(loss)(jax.tree.ref(p), ...values);
    const next = { p: {}, m: {}, v: {} };
    for (const name of names) {
      const first = np.add(np.multiply(m[name], beta1), np.multiply(g[name].ref, 1 - beta1));
      const second = np.add(np.multiply(v[name], beta2), np.multiply(np.square(g[name]), 1 - beta2));
      const root = np.add(np.sqrt(np.divide(second.ref, 1 - beta2)), eps);
      const moved = np.divide(np.multiply(first.ref, lr / (1 - beta1)), root);
      next.p[name] = np.subtract(p[name], moved);
      next.m[name] = first;
      next.v[name] = second;
    }
    return next;
  });
  const bank = (of) =>
    Object.fromEntries(names.map((name) => [name, np.array(of(name), { shape: [...shapes.get(name)] })]));
  const zeros = () => bank((name) => new Float32Array(parameters.get(name).length));
  let state = { p: bank((name) => parameters.get(name)), m: zeros(), v: zeros() };
  return {
    async run(settle) {
      state = step(state.p, state.m, state.v, ...given.map((value) => value.ref));
      await settle(jax.blockUntilReady(state.p[names[0]]));
    },
    /** The gradient of the first step, as its moments have it. */
    async output(settle) {
      const all = [];
      for (const name of names) all.push(await settle(state.m[name].ref.data()));
      return joined(all, Float32Array, 1 / (1 - beta1));
    },
    release() {
      jax.tree.dispose(state);
      for (const value of given) value.dispose();
      step.dispose();
    },
  };
}
