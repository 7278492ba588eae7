import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";
import { editable, rawFile, weightsPath } from "../support/safetensors-fixture.js";

let folder: string;
let index: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ncvsd-shards-"));
  index = join(folder, "model.safetensors.index.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Shards = Record<string, Record<string, number>>;

/** Shards of scalar tensors, and an index that places every tensor where it is, then changed by `edit`. */
function write(
  shards: Shards,
  edit: (json: { metadata: object; weight_map: Record<string, unknown> }) => void = () => {},
): void {
  const json = { metadata: { total_size: 12 }, weight_map: {} as Record<string, unknown> };
  for (const [file, tensors] of Object.entries(shards)) {
    const list = Object.entries(tensors).map(([name, value]) => ({
      name,
      dtype: "F32",
      shape: [],
      data: Float32Array.of(value),
    }));
    writeFileSync(join(folder, file), writeSafetensors(list, { format: "pt" }));
    for (const name of Object.keys(tensors)) json.weight_map[name] = file;
  }
  edit(json);
  writeFileSync(index, JSON.stringify(json));
}

const two: Shards = { "b.safetensors": { x: 1, y: 2 }, "a.safetensors": { z: 3 } };
const refused = (message: RegExp) =>
  expect(openCheckpoint(index)).rejects.toMatchObject({
    code: "BAD_CHECKPOINT",
    message: expect.stringMatching(message),
  });

describe("sharded checkpoints", () => {
  it("are one checkpoint: the bundled one in three pieces", async () => {
    const { tensors, metadata } = await editable(weightsPath("ncvsd-fashion32.safetensors"));
    const weight_map: Record<string, string> = {};
    const parts = [0, 1, 2].map((part) => tensors.filter((_, i) => i % 3 === part));
    parts.forEach((part, i) => {
      const file = `model-0000${i + 1}-of-00003.safetensors`;
      writeFileSync(join(folder, file), writeSafetensors(part, i === 0 ? metadata : { format: "pt" }));
      for (const { name } of part) weight_map[name] = file;
    });
    writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map }));
    const whole = await openCheckpoint(weightsPath("ncvsd-fashion32.safetensors"));
    for (const input of [index, pathToFileURL(index)]) {
      const sharded = await openCheckpoint(input);
      const parsed = parseConfig(sharded);
      expect(parsed).toEqual(parseConfig(whole));
      validateTensors(sharded, parsed.architecture, parsed.config);
      for (const name of whole.tensors.keys()) {
        expect(Buffer.compare(await sharded.readBytes(name), await whole.readBytes(name)), name).toBe(0);
      }
      await sharded.close();
    }
    await whole.close();
  });

  it("say which file holds a tensor, and hash all shards in index order", async () => {
    write(two);
    const checkpoint = await openCheckpoint(index);
    expect(checkpoint.tensors.get("z")?.file).toBe(join(folder, "a.safetensors"));
    expect([...(await checkpoint.readF32("z"))]).toEqual([3]);
    const hash = createHash("sha256");
    for (const file of Object.keys(two)) hash.update(readFileSync(join(folder, file)));
    expect(await checkpoint.sha256()).toBe(hash.digest("hex"));
    await checkpoint.close();
  });

  it("take metadata from the index too", async () => {
    write(two, (json) => Object.assign(json.metadata, { architecture: "edm2" }));
    const checkpoint = await openCheckpoint(index);
    expect({ ...checkpoint.metadata }).toEqual({ format: "pt", architecture: "edm2" });
    await checkpoint.close();
  });

  it("are refused if index and shards do not fit", async () => {
    write(two, (json) => Object.assign(json.weight_map, { w: "a.safetensors" }));
    await refused(/places tensor 'w' in the shard 'a\.safetensors', which does not have it/);
    write(two, (json) => Object.assign(json.weight_map, { w: "c.safetensors" }));
    await refused(/names the shard 'c\.safetensors', but .*does not exist/);
    write(two, (json) => delete json.weight_map.y);
    await refused(/b\.safetensors' holds the tensor 'y', but .* does not name it/);
    write({ "b.safetensors": { x: 1, y: 2 }, "a.safetensors": { x: 3, z: 3 } }, (json) => {
      json.weight_map.x = "b.safetensors";
    });
    await refused(/tensor 'x' is in two shards/);
    write(two, (json) => Object.assign(json.metadata, { format: "tf" }));
    await refused(/metadata 'format' differs/);
    write(two);
    writeFileSync(join(folder, "a.safetensors"), rawFile("{}", new Uint8Array(1)));
    await refused(/a\.safetensors'.*1 bytes follow/);
  });

  it("must lie beside the index", async () => {
    for (const file of [
      "../b.safetensors",
      "/etc/b.safetensors",
      "sub/b.safetensors",
      "c:b.safetensors",
      "b.bin",
      "",
      7,
      "b\\b.safetensors",
    ]) {
      write(two, (json) => Object.assign(json.weight_map, { x: file }));
      await refused(/shard of tensor 'x' is not the plain name of a \.safetensors file/);
    }
  });

  it("an index that is none is refused", async () => {
    for (const [text, message] of [
      ["{}", /no "weight_map"/],
      ["[]", /no "weight_map"/],
      ['{"weight_map": []}', /no "weight_map"/],
      ['{"weight_map": {}}', /weight_map is empty/],
      ['{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', /duplicate key "a"/],
      ["", /not a valid index: unexpected end/],
      ["<html>", /not a valid index/],
    ] as const) {
      writeFileSync(index, text);
      await refused(message);
    }
  });

  it("an index without a place is refused", async () => {
    write(two);
    const file = new File([readFileSync(index)], "model.safetensors.index.json");
    await expect(openCheckpoint(file)).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/give its path or URL/),
    });
  });
});
