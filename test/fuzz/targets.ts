import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { openCheckpoint, openSource, writeSafetensors } from "../../src/checkpoint/index.js";
import { convertedChunks, planConversion } from "../../src/cli/convert.js";
import { readArray } from "../../src/data/arrays.js";
import { readPicture } from "../../src/data/pictures.js";
import { combineShards, encodeFeatures, readFeatures } from "../../src/evaluate/feature-file.js";
import { reportHtml, runNames } from "../../src/evaluate/report.js";
import { checkResult } from "../../src/evaluate/result.js";
import { readStatistics } from "../../src/evaluate/statistics-file.js";
import { encodePng } from "../../src/image/png.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { RunRecord } from "../../src/runs/run-record.js";
import { mutateBytes, mutateSafetensors, mutateText } from "../support/mutate.js";
import { dump } from "../support/pickle-asm.js";
import {
  legacyFile,
  network,
  snapshot,
  storageId,
  tensor,
  tinyTensors,
  torchZip,
  zipFile,
} from "../support/pickle-torch.js";
import { fixturePath } from "../support/safetensors-fixture.js";

/** One reader, files that it takes, and how they are changed. */
export interface Target {
  readonly name: string;
  readonly bases: readonly Uint8Array[];
  mutate(base: Uint8Array, others: readonly Uint8Array[], random: () => number): Uint8Array;
  /** Reads a mutant all through; `folder` is a scratch folder of its own. */
  read(mutant: Uint8Array, folder: string): Promise<void> | void;
}

/** Snapshots in every container. */
export function pickles(): Uint8Array[] {
  const all = Buffer.concat([...tinyTensors("edm2").values()].map((t) => t.data));
  let offset = 0;
  const inOneStorage = (_name: string, shape: readonly number[], data: Uint8Array) => {
    offset += data.length / 4;
    const at = Math.min(offset - data.length / 4, all.length / 4 - data.length / 4);
    return tensor(storageId("F32", "0", all.length / 4, null), at, shape);
  };
  const one = () => {
    offset = 0;
    return snapshot(network("edm2", { write: inOneStorage }));
  };
  return [
    dump(snapshot(network("edm2")), 2),
    dump(snapshot(network("edm2")), 4),
    dump(snapshot(network("ncvsd")), 5),
    torchZip(one(), { "0": all }),
    legacyFile(one(), [{ key: "0", dtype: "F32", data: all }]),
  ];
}

function zips(): Uint8Array[] {
  const one = pickles()[3]!;
  const object = dump(snapshot(network("edm2")), 2);
  const pack = (data: Uint8Array) => deflateRawSync(data);
  const members = { "a/data.pkl": object, "a/byteorder": Buffer.from("little"), "a/data/0": new Uint8Array(64) };
  return [one, zipFile(members, { crc: crc32 }), zipFile(members, { pack }), zipFile(members, { crc: crc32, pack })];
}

/** Pieces of a PNG with right checksums, so that changes reach what is inside. */
function mutatePng(base: Uint8Array, others: readonly Uint8Array[], random: () => number): Uint8Array {
  const mutant = Buffer.from(mutateBytes(base, others, random));
  if (random() < 0.2) return mutant;
  for (let at = 8; at + 12 <= mutant.length; ) {
    const end = at + 8 + mutant.readUInt32BE(at);
    if (end + 4 > mutant.length) break;
    mutant.writeUInt32BE(crc32(mutant.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return mutant;
}

function pngs(): Uint8Array[] {
  const data = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => (i * 37) & 255);
  return ([1, 3, 4] as const).map((channels) =>
    encodePng({ width: 16, height: 16, channels, data: data.slice(0, 256 * channels) }, { seed: "1" }),
  );
}

/** Pictures of 16x16 pixels by libjpeg: baseline with halved chroma, and progressive. */
const JPEGS = [
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAQABADASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABQQG/8QAGRAAAgMBAAAAAAAAAAAAAAAAAAQDITFh/8QAFQEBAQAAAAAAAAAAAAAAAAAAAgT/xAAYEQADAQEAAAAAAAAAAAAAAAAAAgQREv/aAAwDAQACEQMRAD8Az8KnBCFPhauplCa6eUSK3YpK8P/Z",
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wgARCAAQABADAREAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABAMF/8QAGAEAAgMAAAAAAAAAAAAAAAAAAwQAAQX/2gAMAwEAAhADEAAAAc8cRTdh5Sitf//EABYQAQEBAAAAAAAAAAAAAAAAAAIAAf/aAAgBAQABBQLDYImIv//EABURAQEAAAAAAAAAAAAAAAAAAAIA/9oACAEDAQE/AQoOKi7/xAAXEQEBAQEAAAAAAAAAAAAAAAABABAR/9oACAECAQE/Ae4MX//EABQQAQAAAAAAAAAAAAAAAAAAACD/2gAIAQEABj8CH//EABQQAQAAAAAAAAAAAAAAAAAAACD/2gAIAQEAAT8hHJ//2gAMAwEAAgADAAAAECaf/8QAFBEBAAAAAAAAAAAAAAAAAAAAIP/aAAgBAwEBPxAJ3//EABYRAAMAAAAAAAAAAAAAAAAAAAABEf/aAAgBAgEBPxB2NUuLT//EABcQAQADAAAAAAAAAAAAAAAAAAAhMWH/2gAIAQEAAT8QxYKYUQ//2Q==",
].map((text) => new Uint8Array(Buffer.from(text, "base64")));

function npy(): Uint8Array[] {
  return (["<f4", "<f8", "|u1"] as const).map((descr) => {
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (1, 4, 4), }`.padEnd(117);
    const data = new Uint8Array(16 * Number(descr[2]));
    return new Uint8Array(
      Buffer.concat([Buffer.from("\x93NUMPY\x01\0v\0", "latin1"), Buffer.from(`${header}\n`), data]),
    );
  });
}

const RUN = {
  key: "k",
  n: 8,
  firstSeed: 0,
  checkpoint: { name: "net.safetensors", sha256: "0".repeat(64), architecture: "ncvsd" },
  options: { sampler: "multi-step", ts: [10], zeta: 1, precision: "f32", class: "seed modulo 10" },
  evaluationsPerImage: 1,
  networks: [{ name: "fashion32-features", sha256: "1".repeat(64), dim: 4 }],
  classes: 10,
  classNames: Array.from({ length: 10 }, (_, i) => `c${i}`),
  adapter: "an adapter",
  version: "0.1.0",
};

function shards(): Uint8Array[] {
  return [0, 1].map((part) => {
    const features = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i + part));
    const labels = Int32Array.of(1, 2, 3, 4);
    const rows = { start: 4 * part, end: 4 * part + 4, kept: [{ features }], labels, predictions: labels, seconds: 1 };
    return encodeFeatures(rows, RUN, { index: part + 1, count: 2 });
  });
}

const RESULT = JSON.stringify({
  tool: "ncvsd-gpu",
  kind: "fd",
  format: 1,
  fd: 33.8,
  interval: { level: 0.95, low: 32.9, high: 34.8, replicates: 200, groups: 100 },
  curve: [2500, 5000].map((n) => ({ n, fd: 33.8 })),
  labels: { agreement: 0.8, perClass: [{ class: 0, name: "a", n: 500, agreement: 0.8 }] },
  n: 5000,
  firstSeed: 0,
  checkpoint: RUN.checkpoint,
  options: RUN.options,
  evaluationsPerImage: 1,
  classes: 10,
  features: RUN.networks[0],
  reference: { file: "ref.safetensors", count: 10000 },
  shards: 1,
  timing: { seconds: 100, imagesPerSecond: 50, evaluationsPerSecond: 50 },
  adapter: "an adapter",
  version: "0.1.0",
  command: ["ncvsd-gpu"],
  date: "2026-01-02T03:04:05.000Z",
});

const RUN_INFO = {
  version: "0.1.0",
  command: ["ncvsd-gpu", "sample"],
  options: { ts: [10] },
  checkpoint: RUN.checkpoint,
  adapter: "an adapter",
  seeds: [0, 1],
};

const RECORD = JSON.stringify({
  tool: "ncvsd-gpu",
  format: 1,
  settings: { abc: { options: { ts: [10] }, checkpoint: RUN.checkpoint } },
  runs: [
    { date: "2026-01-02T03:04:05.000Z", version: "0.1.0", command: ["x"], settings: "abc", seeds: "0-1", made: 2 },
  ],
  images: { 0: { file: "000000.png", class: 1, settings: "abc" }, 1: { file: "000001.png", settings: "abc" } },
});

const parsed = (mutant: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(mutant).toString());
  } catch {
    return undefined;
  }
};
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const asText: Target["mutate"] = (base, _others, random) =>
  bytes(mutateText(Buffer.from(base).toString("latin1"), random));
/** Half of the changes to the header, half to any byte. */
const asSafetensors: Target["mutate"] = (base, others, random) =>
  random() < 0.7 ? mutateSafetensors(base, random) : mutateBytes(base, others, random);

/** Writes the mutant under `name` and gives its path. */
function put(mutant: Uint8Array, folder: string, name: string): string {
  writeFileSync(join(folder, name), mutant);
  return join(folder, name);
}

async function convertAll(mutant: Uint8Array): Promise<void> {
  const { order } = await planConversion(await openSource(mutant));
  let written = 0;
  for (const item of order) for await (const chunk of convertedChunks(item)) written += chunk.length;
  if (written > 4 * mutant.length + 2 ** 16) throw new Error(`${written} bytes come out of ${mutant.length}`);
}

export const TARGETS: readonly Target[] = [
  {
    name: "safetensors",
    bases: ["edm2-tiny-uncond", "ncvsd-tiny"].map(
      (name) => new Uint8Array(readFileSync(fixturePath(`${name}.safetensors`))),
    ),
    mutate: asSafetensors,
    async read(mutant) {
      const checkpoint = await openCheckpoint(mutant);
      const { architecture, config } = parseConfig(checkpoint);
      validateTensors(checkpoint, architecture, config);
      for (const name of checkpoint.tensors.keys()) await checkpoint.readF32(name, { weights: true });
    },
  },
  { name: "pickle", bases: pickles(), mutate: mutateBytes, read: convertAll },
  { name: "zip", bases: zips(), mutate: mutateBytes, read: convertAll },
  {
    name: "png",
    bases: pngs(),
    mutate: mutatePng,
    async read(mutant, folder) {
      const path = put(mutant, folder, "a.png");
      await readPicture(path, undefined, () => {});
      await readArray(path, []);
    },
  },
  {
    name: "jpeg",
    bases: JPEGS,
    mutate: mutateBytes,
    async read(mutant, folder) {
      await readPicture(put(mutant, folder, "a.jpg"), undefined, () => {});
    },
  },
  {
    name: "npy",
    bases: npy(),
    mutate: (base, others, random) =>
      random() < 0.5 ? asText(base, others, random) : mutateBytes(base, others, random),
    async read(mutant, folder) {
      await readArray(put(mutant, folder, "a.npy"), []);
    },
  },
  {
    name: "npz",
    bases: ["stats", "stats-f32-compressed"].map(
      (name) => new Uint8Array(readFileSync(fixturePath(`npz/${name}.npz`))),
    ),
    mutate: mutateBytes,
    async read(mutant, folder) {
      await readStatistics(put(mutant, folder, "a.npz"));
    },
  },
  {
    name: "statistics",
    bases: [
      writeSafetensors(
        [
          { name: "mean", dtype: "F64", shape: [2], data: Float64Array.of(1, 2) },
          { name: "cov", dtype: "F64", shape: [2, 2], data: Float64Array.of(2, 1, 1, 2) },
        ],
        { count: "100", feature_network: "fashion32-features" },
      ),
    ],
    mutate: asSafetensors,
    async read(mutant, folder) {
      await readStatistics(put(mutant, folder, "a.safetensors"));
    },
  },
  {
    name: "shard",
    bases: shards(),
    mutate: asSafetensors,
    async read(mutant, folder) {
      const first = await readFeatures(put(mutant, folder, "a.safetensors"));
      combineShards([first, await readFeatures(put(shards()[1]!, folder, "b.safetensors"))]);
    },
  },
  {
    name: "result",
    bases: [bytes(RESULT)],
    mutate: asText,
    read(mutant) {
      const results = [checkResult(parsed(mutant), "a.json")];
      const runs = results.map((result, i) => ({ name: runNames(results)[i]!, result, pictures: "No pictures." }));
      const html = reportHtml({ title: "A title", runs, version: "0.1.0", date: "2026-01-02T03:04:05.000Z" });
      if (/<script/i.test(html)) throw new Error("a page has a script");
    },
  },
  {
    name: "run.json",
    bases: [bytes(RECORD)],
    mutate: asText,
    read(mutant, folder) {
      put(mutant, folder, "run.json");
      const record = RunRecord.open(folder, RUN_INFO as never);
      record.addMade(1, { class: 2 });
      record.write({ total: 1 });
    },
  },
];

/** An empty scratch folder. */
export function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
