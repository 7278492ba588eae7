import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { readSnapshot } from "../../src/checkpoint/unpickle/snapshot.js";
import { dict, dump, type Py } from "../support/pickle-asm.js";
import { network, snapshot, storageId, tensor, tinyTensors, zipFile } from "../support/pickle-torch.js";

const all = new Uint8Array(Buffer.concat([...tinyTensors("edm2").values()].map((t) => t.data)));
let offset = 0;
const write = (_name: string, shape: readonly number[], data: Uint8Array): Py => {
  offset += data.length / 4;
  const elements = all.length / 4;
  return tensor(storageId("F32", "0", elements), Math.min(offset, elements) - data.length / 4, shape);
};
const object = (more: Record<string, Py> = {}) => {
  offset = 0;
  return dump(snapshot(network("edm2", { write }), more), 2);
};
const members = (more: Record<string, Uint8Array> = {}) => ({
  "archive/data.pkl": object(),
  "archive/byteorder": Buffer.from("little"),
  "archive/data/0": all,
  ...more,
});

/** All values of the network. */
async function values(file: Uint8Array): Promise<Uint8Array> {
  const { tensors } = await readSnapshot(await openSource(file));
  const parts: Uint8Array[] = [];
  for (const tensor of tensors.values()) for await (const chunk of tensor.chunks()) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

describe("archives of torch.save", () => {
  it("with checksums, without, and deflated give the same values", async () => {
    const plain = await values(zipFile(members()));
    expect(plain.length).toBe(all.length);
    expect(await values(zipFile(members(), { crc: crc32 }))).toEqual(plain);
    expect(await values(zipFile(members(), { crc: crc32, pack: (data) => deflateRawSync(data) }))).toEqual(plain);
  });

  it("one wrong byte is found wherever it is, in a member that is not converted too, and the member is named", async () => {
    const other = Uint8Array.of(1, 2, 3);
    for (const [name, data] of Object.entries(members({ "archive/data/1": other }))) {
      const wrong = new Uint8Array(data);
      wrong[wrong.length >> 1]! ^= 1;
      const file = zipFile(members({ "archive/data/1": other, [name]: wrong }), {
        crc: (bytes) => crc32(bytes === wrong ? data : bytes),
      });
      await expect(values(file)).rejects.toThrow(`the member '${name}' of its archive is damaged: its checksum`);
    }
  });

  it("a deflated member that says too little or too much, is damaged, or wrong is refused", async () => {
    const pack = (data: Uint8Array) => deflateRawSync(data);
    const packed = (more: Parameters<typeof zipFile>[1]) => values(zipFile(members(), { crc: crc32, pack, ...more }));
    await expect(packed({ crc: () => 1 })).rejects.toThrow(/checksum/);
    await expect(packed({ size: 100 })).rejects.toThrow(/unpacks to 6 bytes, not 100/);
    await expect(packed({ size: 0x3000000 })).rejects.toThrow(/unpacks to 6 bytes, not 50331648/);
    await expect(packed({ pack: (data) => deflateRawSync(data).subarray(0, 20) })).rejects.toThrow(/damaged/);
  });

  it("a bomb is refused before it is unpacked", async () => {
    const bomb = new Uint8Array(2 ** 27);
    const before = process.memoryUsage().arrayBuffers;
    const pickle = dump(dict({ x: tensor(storageId("F32", "0", 2 ** 25), 0, [1]), net: network("edm2") }), 2);
    const file = zipFile(
      { "a/data.pkl": pickle, "a/data/0": bomb },
      { pack: (data) => deflateRawSync(data), crc: crc32 },
    );
    expect(file.length).toBeLessThan(2 ** 19);
    // The network has storages of its own: nothing has to be unpacked but the pickle.
    expect((await values(file)).length).toBeGreaterThan(0);
    const wanted = zipFile(
      { "archive/data.pkl": object(), "archive/data/0": bomb },
      { pack: (data) => deflateRawSync(data), crc: crc32 },
    );
    await expect(values(wanted)).rejects.toThrow(/unpack to more than 4 times/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26 + bomb.length);
  });

  it("members that lie over one another are refused", async () => {
    const file = Buffer.from(zipFile(members()));
    // The second entry of the directory claims the bytes of the whole file.
    const second = file.indexOf("PK\x01\x02", file.indexOf("PK\x01\x02") + 4, "latin1");
    file.writeUInt32LE(file.length - 60, second + 20);
    file.writeUInt32LE(file.length - 60, second + 24);
    await expect(values(file)).rejects.toThrow(/overlap/);
  });
});
