// A GPU in a worker thread, so that the main one is free: node examples/worker.mjs
import { isMainThread, parentPort, SHARE_ENV, Worker } from "node:worker_threads";
import { loadModel, openGpu, sampleMultiStep } from "ncvsd-gpu";

if (isMainThread) {
  // The environment is shared, since the driver is told by it which adapter is meant.
  const worker = new Worker(new URL(import.meta.url), { env: SHARE_ENV });
  worker.on("message", ({ step, images, shape }) => {
    if (step) console.log(`step ${step}`);
    else console.log(`${shape.join("x")}, ${images.length} values`);
  });
  worker.postMessage({ seeds: [0, 1], labels: [7, 8] });
} else {
  parentPort.once("message", async ({ seeds, labels }) => {
    const gpu = await openGpu({ adapter: process.env.ADAPTER });
    const model = await loadModel(gpu);
    const onStep = ({ step }) => parentPort.postMessage({ step });
    const { images, shape } = await sampleMultiStep(model, { seeds, labels, ts: [0, 16], onStep });
    parentPort.postMessage({ images, shape }, [images.buffer]);
    gpu.close();
  });
}
