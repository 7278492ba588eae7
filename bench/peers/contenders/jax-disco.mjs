/** A training step of DISCO in jax-js, written as one writes it there: the gradient of a loss on a gradient by automatic differentiation. */
import { ADAM, discoConfig, ROWS_OF_POINTS } from "../network/disco.mjs";
import { jaxTraining } from "./jax-adam.mjs";

export function jaxDisco(jax, { shapes, tensors, x, target, weight }) {
  const { numpy: np } = jax;
  const { dim, blocks, embed, negative_slope: slope, norm_eps: eps } = discoConfig;
  const array = (values, shape) => np.array(values, { shape: [...shape] });
  const half = embed / 2;
  const omega = array(
    Float32Array.from({ length: half }, (_, j) => 10_000 ** (-j / (half - 1))),
    [1, 1, half],
  );

  const unit = (p, name, h) => {
    const centred = np.subtract(h.ref, np.mean(h, 1, { keepdims: true }));
    const s = np.sqrt(np.add(np.mean(np.square(centred.ref), 1, { keepdims: true }), eps));
    const gain = np.multiply(p[`${name}.alpha`].ref, p[`${name}.gamma`].ref);
    const y = np.add(np.multiply(np.divide(centred, s), gain), p[`${name}.beta`].ref);
    // Leaky ReLU.
    return np.maximum(y.ref, np.multiply(y, slope));
  };
  const layer = (p, name, v) => np.add(np.matmul(v, np.swapaxes(p[`${name}.weight`].ref, 0, 1)), p[`${name}.bias`].ref);
  const phi = (p, points) => {
    const phase = np.multiply(points.reshape([ROWS_OF_POINTS, dim, 1]), omega.ref);
    const features = np.concatenate([np.sin(phase.ref), np.cos(phase)], 2).reshape([ROWS_OF_POINTS, dim * embed]);
    const u = layer(p, "in", features);
    let h = np.concatenate([u.ref, u], 1);
    for (let b = 0; b < blocks; b++) {
      const inner = layer(p, `blocks.${b}.fc0`, unit(p, `blocks.${b}.norm0`, h.ref));
      h = np.add(h, layer(p, `blocks.${b}.fc1`, unit(p, `blocks.${b}.norm1`, inner)));
    }
    return np.sum(np.square(layer(p, "out", unit(p, "out_norm", h))));
  };
  const loss = (p, points, goal, w) => {
    const o = jax.grad((at) => phi(p, at))(points);
    const square = np.mean(np.square(np.subtract(o, goal)), 1);
    return np.mean(np.multiply(w, square));
  };
  const given = [
    array(x, [ROWS_OF_POINTS, dim]),
    array(target, [ROWS_OF_POINTS, dim]),
    array(weight, [ROWS_OF_POINTS]),
  ];
  const { release, ...training } = jaxTraining(jax, { shapes, parameters: tensors }, loss, ADAM, given);
  return {
    ...training,
    release() {
      release();
      omega.dispose();
    },
  };
}
