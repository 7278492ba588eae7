// A process that plays some of the virtual workers of a small run: test/support/two-processes.ts starts two, which exchange their
// sums through files. Arguments: a JSON file with { module, adapter, opens, options, images, workers, own, updates, exchange, result }.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { module, adapter, opens, options, images, workers, own, updates, exchange, result } = JSON.parse(
  readFileSync(process.argv[2], "utf8"),
);
const library = await import(module);
const gpu = await library.openGpu(adapter ? { adapter } : {});
const data = {
  batch: async (positions) => ({
    images: Float32Array.from(positions.flatMap((p) => images[p % images.length])),
    labels: positions.map((p) => p % 5),
  }),
};
const run = await library[opens](gpu, { ...options, data });

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
    writeFileSync(`${path(worker)}.part`, pack(await run.accumulate({ worker })));
    renameSync(`${path(worker)}.part`, path(worker));
  }
  const sums = [];
  for (let worker = 0; worker < workers; worker++) {
    while (!existsSync(path(worker))) await sleep(20);
    sums.push(unpack(readFileSync(path(worker), "utf8")));
  }
  await run.update(sums);
}
const all = new Map();
for (const net of opens === "openTraining" ? [undefined] : ["score", "discriminator", "generator"])
  for (const [name, values] of await run.parameters(net)) all.set(`${net} ${name}`, values);
for (const [name, values] of await run.ema(0.1)) all.set(`average ${name}`, values);
writeFileSync(result, pack(all));
run.close();
gpu.close();
