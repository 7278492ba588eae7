import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { Dataset } from "../../src/data/dataset.js";
import { openPictureSource } from "../../src/data/dataset-sources.js";
import { files, npy, picture, zipOf } from "../support/dataset.js";
import { mutateBytes, mutateText } from "../support/mutate.js";
import { zipFile } from "../support/pickle-torch.js";
import type { Target } from "./targets.js";

const labels = [0, 1, 2].map((i) => [`00000/img0000000${i}.png`, i]);
const MEMBERS = files(
  [0, 1, 2].map((i) => picture(i)),
  labels,
);
const LATENTS = { "00000/img-mean-std-00000000.npy": npy([8, 2, 2], new Float32Array(32)) };

const idx = new Uint8Array(16 + 3 * 36);
for (const [i, value] of [0x803, 3, 6, 6].entries()) new DataView(idx.buffer).setUint32(4 * i, value);

async function readSource(path: string): Promise<void> {
  const source = await openPictureSource(path);
  try {
    for await (const { image } of source.pictures()) await image();
  } finally {
    await source.close();
  }
}

const source = (name: string, file: string, bases: readonly Uint8Array[]): Target => ({
  name,
  bases,
  mutate: mutateBytes,
  async read(mutant, folder) {
    writeFileSync(join(folder, file), mutant);
    await readSource(join(folder, file));
  },
});

/** Readers of data sets and of what they are made of. */
export const DATASET_TARGETS: readonly Target[] = [
  {
    name: "dataset",
    bases: [zipOf(MEMBERS), zipFile(MEMBERS, { pack: (data) => deflateRawSync(data) }), zipOf(LATENTS)],
    // Texts of dataset.json are changed as texts; the archive is then without checksums.
    mutate(base, others, random) {
      if (random() < 0.6) return mutateBytes(base, others, random);
      const json = mutateText(Buffer.from(MEMBERS["dataset.json"]!).toString("latin1"), random);
      return zipFile({ ...MEMBERS, "dataset.json": Buffer.from(json, "latin1") });
    },
    async read(mutant, folder) {
      const path = join(folder, "a.zip");
      writeFileSync(path, mutant);
      const set = await Dataset.open(path, { skipBad: true });
      try {
        for (let i = 0; i < set.length; i++) await set.item(i);
        await set.fingerprint();
      } finally {
        await set.close();
      }
      await readSource(path);
    },
  },
  source("idx", "train-images-idx3-ubyte", [idx]),
  source("idx.gz", "train-images-idx3-ubyte.gz", [gzipSync(idx)]),
  source("pictures.npz", "a.npz", [
    zipOf({
      "images.npy": npy([3, 4, 4, 3], new Uint8Array(144), "|u1"),
      "labels.npy": npy([3], new Uint8Array(3), "|u1"),
    }),
    zipFile({ "data.npy": npy([2, 48], new Uint8Array(96), "|u1") }, { pack: (data) => deflateRawSync(data) }),
  ]),
];
