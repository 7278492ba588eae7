/** This project, through its own kernels and executor; with what `ncvsd-gpu bench --tune` has stored for this adapter, if anything. */

import { adamSettings } from "../../../dist/kernels/lib/adam-settings.js";
import { attention } from "../../../dist/kernels/network/attention/kernel.js";
import { gemm } from "../../../dist/kernels/network/gemm/kernel.js";
import { gemmWeightLength, packGemmWeight } from "../../../dist/kernels/network/gemm/weight.js";
import { mpSilu } from "../../../dist/kernels/network/mp-silu/kernel.js";
import { pixelNorm } from "../../../dist/kernels/network/pixel-norm/kernel.js";
import { adam } from "../../../dist/kernels/training/adam/kernel.js";
import { matmul } from "../../../dist/kernels/vae/matmul/kernel.js";
import { openCheckpoint } from "../../../dist/src/checkpoint/index.js";
import { openGpu } from "../../../dist/src/gpu/device.js";
import { Graph } from "../../../dist/src/graph/graph.js";
import { Program } from "../../../dist/src/graph/program.js";
import { stage } from "../../../dist/src/graph/stage.js";
import { mpConv } from "../../../dist/src/layers/folded.js";
import { WeightStore } from "../../../dist/src/layers/weights.js";
import { copyPeak, fmaPeak } from "../../../dist/src/measure/peaks.js";
import { buildNetwork } from "../../../dist/src/networks/edm2/network.js";
import { openEnergyLoss } from "../../../dist/src/networks/energy/derivatives.js";
import { EnergyParameters } from "../../../dist/src/networks/energy/parameters.js";
import { inceptionGraph } from "../../../dist/src/networks/features/inception.js";
import { openTraining } from "../../../dist/src/train/training.js";
import { unetConfig } from "../network/checkpoint.mjs";
import { ADAM, discoConfig, ROWS_OF_POINTS } from "../network/disco.mjs";
import { widths } from "../network/inception.mjs";
import { ADAM as TEACHER_ADAM } from "../network/training.mjs";

const plain = { kind: "none" };

/** For each kind of row: its graph, the output tensor, and the values of the inputs. */
const graphs = {
  conv(graph, { layer, side }, { inputs }, { tuning }) {
    const build = { graph, batch: 1, tuning, wants: () => false, tap() {} };
    const x = graph.external("x", [1, ...inputs.x.shape], "act");
    const spec = { ...layer, height: side, width: side, weight: "raw", epilogue: plain };
    return { output: mpConv(build, "conv", spec, x), values: [[x, inputs.x.data]] };
  },

  attention(graph, { heads, headDim, pixels }, { qkv }) {
    const x = graph.external("qkv", [3 * heads * headDim, pixels], "act");
    const params = { batch: 1, heads, headDim, pixels };
    const { y } = graph.run("attention", attention, params, { qkv: x }, { y: [heads * headDim, pixels] });
    return { output: y, values: [[x, qkv]] };
  },

  matmul(graph, { side, packed }, { inputs }) {
    const x = graph.external("b", [side, side], "act");
    const values = [[x, inputs.b.data]];
    if (packed) {
      const pack = ([a]) => packGemmWeight(a, 1, side, side);
      const size = { groups: 1, images: 1, rows: side, depth: side, columns: side };
      const params = { ...size, type: "act", epilogue: plain };
      const { type } = gemm.buffers(params).find(({ name }) => name === "w");
      const w = graph.constant("a", [gemmWeightLength(1, side, side)], type, { sources: ["raw"], make: pack });
      return { output: graph.run("matmul", gemm, params, { x, w }, { y: [side, side] }).y, values };
    }
    const a = graph.external("a", [side, side], "act");
    values.push([a, inputs.a.data]);
    const params = { images: 1, m: side, k: side, n: side, transposed: false, scale: 1 };
    return { output: graph.run("matmul", matmul, params, { a, b: x }, { y: [side, side] }).y, values };
  },

  pixelNorm(graph, { channels, side }, { inputs }) {
    const x = graph.external("x", [channels, side, side], "act");
    const params = { batch: 1, channels, pixels: side * side, silu: false };
    const { y } = graph.run("norm", pixelNorm, params, { x }, { y: x.shape });
    return { output: y, values: [[x, inputs.x.data]] };
  },

  mpSilu(graph, _row, { inputs }) {
    const x = graph.external("x", inputs.x.shape, "act");
    const { y } = graph.run("silu", mpSilu, { elements: x.length, type: "act" }, { x }, { y: x.shape });
    return { output: y, values: [[x, inputs.x.data]] };
  },

  inception(graph, _row, { inputs }, { software, precision }) {
    const { images, y } = inceptionGraph(graph, 1, widths, software && precision === "f32");
    return { output: y, values: [[images, inputs.x.data]] };
  },
};

function networkGraph({ sigma }, { inputs }, { tuning }) {
  const network = buildNetwork("edm2", unetConfig, 1, { tuning });
  const values = [
    [network.x, inputs.x.data],
    [network.sigma, new Float32Array([sigma])],
  ];
  return { graph: network.graph, output: network.denoised, values };
}

function rowGraph(row, task, caps) {
  const graph = new Graph();
  const made = graphs[row.kind](graph, row, task, caps);
  graph.kept.add(made.output);
  return { graph, ...made };
}

/** Steps of DISCO's training at given points: gradients by four written-out passes, Adam, packed weights. */
async function discoTraining(gpu, { tensors, x, target, weight }) {
  const parameters = await EnergyParameters.create(gpu, discoConfig, tensors);
  const { elements } = parameters.layout;
  const owned = [];
  const buffer = (values) => {
    const own = gpu.storage("step", values.byteLength);
    owned.push(own);
    gpu.write(own, values);
    return own;
  };
  const bank = () => buffer(new Float32Array(elements));
  const gradients = bank();
  const given = { x: buffer(x), goal: buffer(target), weight: buffer(weight), loss: buffer(new Float32Array(1)) };
  const loss = await openEnergyLoss(parameters, ROWS_OF_POINTS, { ...given, gradients });
  const settings = buffer(Float32Array.from(adamSettings({ ...ADAM, step: 1 })));
  const moved = {
    g: gradients,
    settings,
    w: parameters.bank,
    m: bank(),
    v: bank(),
    zeroed: buffer(new Float32Array(2)),
  };
  const update = await stage(gpu, "adam", adam, { elements }, moved);
  return {
    async run() {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      loss.encode(pass);
      update.encode(pass);
      parameters.repack(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
      await gpu.idle();
    },
    /** The gradient of the first step, as its moments have it. */
    async output() {
      const m = parameters.layout.tensors(await gpu.readF32(moved.m, elements));
      return Float32Array.from(
        [...m.values()].flatMap((values) => [...values]),
        (value) => value / (1 - ADAM.beta1),
      );
    },
    release() {
      for (const item of [loss, update, parameters]) item.destroy();
      for (const own of owned) gpu.destroyBuffer(own);
      gpu.flushDestroyed();
    },
  };
}

/** Updates of a teacher, with forced normalisation and both averages, which peers are spared. */
async function teacherTraining(gpu, { config, sigma, batch, checkpoint, image, noise, inOrder }) {
  const lr = { refLr: TEACHER_ADAM.lr, refBatches: 0, rampupMimg: 0 };
  const training = await openTraining(gpu, { network: checkpoint, config, batch, pMean: Math.log(sigma), lr });
  const step = { rounds: [{ images: image, rndNormal: new Array(batch).fill(0), noise }] };
  return {
    run: () => training.step(step),
    output: async () => inOrder(await training.gradients()),
    release: () => training.close(),
  };
}

export async function open() {
  const gpu = await openGpu();
  let peaks;
  return {
    adapter: gpu.info.name,
    tunedChoices: gpu.caps.tuning?.size ?? 0,

    async prepare(row, task) {
      if (task.disco) return discoTraining(gpu, task.disco);
      if (task.training) return teacherTraining(gpu, task.training);
      const stored = { readF32: async (name) => task.tensors?.get(name) ?? task.raw };
      const source = task.checkpoint ? await openCheckpoint(task.checkpoint) : stored;
      const weights = new WeightStore(gpu, source);
      const make = row.kind === "unet" ? networkGraph : rowGraph;
      const { graph, output, values } = make(row, task, gpu.caps);
      await weights.load(graph);
      await source.close?.();
      const program = await Program.create(gpu, { label: row.title, graph, constants: weights.buffers });
      for (const [tensor, data] of values) gpu.write(program.buffer(tensor), data);
      return {
        async run() {
          program.submit();
          await gpu.idle();
        },
        output: () => program.readTensor(output),
        release() {
          program.destroy();
          weights.destroy();
        },
      };
    },

    /** What the adapter can do at best, as far as it has been seen: GFLOP/s of multiply-adds, GB/s of copies (read + write). */
    async peaks() {
      if (peaks) for (const peak of Object.values(peaks)) await peak.measure();
      else peaks = { fma: await fmaPeak(gpu), copy: await copyPeak(gpu) };
      return { fma: peaks.fma.best, copy: peaks.copy.best };
    },
  };
}
