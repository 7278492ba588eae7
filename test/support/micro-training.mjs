// A process that plays some of the virtual workers of a small training: test/train/workers.test.ts starts two, which exchange
// their sums through files. Arguments: a JSON file with { module, adapter, options, own, updates, exchange, result }.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { module, adapter, network, options, images, own, updates, exchange, result } = JSON.parse(
  readFileSync(process.argv[2], "utf8"),
);
const { openGpu, openTraining } = await import(module);
const gpu = await openGpu(adapter ? { adapter } : {});
const data = {
  batch: async (positions) => ({
    images: Float32Array.from(positions.flatMap((p) => images[p % images.length])),
    labels: positions.map((p) => p % 5),
  }),
};
const training = await openTraining(gpu, { ...options, network, data });

const pack = (sum) => JSON.stringify([...sum].map(([name, v]) => [name, Buffer.from(v.buffer).toString("base64")]));
const unpack = (text) =>
  new Map(
    JSON.parse(text).map(([name, v]) => {
      const bytes = Uint8Array.from(Buffer.from(v, "base64"));
      return [name, new Float32Array(bytes.buffer)];
    }),
  );

for (let k = 0; k < updates; k++) {
  const path = (worker) => join(exchange, `${k}-${worker}`);
  for (const worker of own) {
    writeFileSync(`${path(worker)}.part`, pack(await training.accumulate({ worker })));
    renameSync(`${path(worker)}.part`, path(worker));
  }
  const sums = [];
  for (let worker = 0; worker < options.workers; worker++) {
    while (!existsSync(path(worker))) await sleep(20);
    sums.push(unpack(readFileSync(path(worker), "utf8")));
  }
  await training.update(sums);
}
writeFileSync(
  result,
  pack(new Map([...(await training.parameters()), ["average", (await training.ema(0.1)).get("unet.out_gain")]])),
);
training.close();
gpu.close();
