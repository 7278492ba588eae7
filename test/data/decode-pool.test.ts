import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type * as Built from "../../src/data/dataset.js";
import { run } from "../support/cli.js";
import { files, npy, picture, zipOf } from "../support/dataset.js";

// Threads run what is built.
const module = new URL("../../dist/src/data/dataset.js", import.meta.url).href;
const { Dataset } = (await import(module)) as typeof Built;

const root = mkdtempSync(join(tmpdir(), "threads-"));
afterAll(() => rmSync(root, { recursive: true }));
const zip = (name: string, members: Record<string, Uint8Array>) => {
  writeFileSync(join(root, name), zipOf(members));
  return join(root, name);
};
const members = files(
  Array.from({ length: 40 }, (_, i) => picture(i)),
  null,
);

describe("threads that decode", () => {
  it("give what one thread gives, in whatever order they end", async () => {
    const path = zip("a.zip", members);
    const [alone, several] = [await Dataset.open(path), await Dataset.open(path, { threads: 3, cacheBytes: 0 })];
    const indices = Array.from({ length: 120 }, (_, i) => (i * 7) % 40);
    const items = await Promise.all(indices.map((i) => several.item(i)));
    for (const [k, i] of indices.entries()) expect(items[k]).toEqual(await alone.item(i));
    await alone.close();
    await several.close();
  });

  it("decode latents, and name what is damaged", async () => {
    const cut = members["00000/img00000007.png"]!.slice(0, 90);
    const set = await Dataset.open(zip("b.zip", { ...members, "00000/img00000007.png": cut }), { threads: 2 });
    await expect(set.item(7)).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: /img00000007\.png is cut off/ });
    expect((await set.item(8)).image).toHaveLength(192);
    await set.close();
    const values = Float32Array.from({ length: 32 }, (_, i) => i / 3);
    const latents = await Dataset.open(zip("c.zip", { "a.npy": npy([8, 2, 2], values) }), { threads: 1 });
    expect((await latents.item(0)).image).toEqual(values);
    await latents.close();
  });

  it("end with the data set, also in the middle", async () => {
    const set = await Dataset.open(zip("d.zip", members), { threads: 2, cacheBytes: 0 });
    const items = Array.from({ length: 40 }, (_, i) =>
      set.item(i).then(
        () => "read",
        (error: Error) => error.message,
      ),
    );
    await set.close();
    for (const outcome of await Promise.all(items)) expect(outcome).toMatch(/^(read|The data set is closed\.)$/);
  });

  it("do not keep a process alive", async () => {
    const path = zip("e.zip", members);
    const code = `const { Dataset } = await import(${JSON.stringify(module)});
      const set = await Dataset.open(${JSON.stringify(path)}, { threads: 2 });
      console.log((await set.item(3)).image.length);`;
    const ended = await run(process.execPath, ["--input-type=module", "-e", code]);
    expect([ended.code, ended.stdout]).toEqual([0, "192\n"]);
  }, 20_000);

  it("let a process that closes the data set go on to its end", async () => {
    const path = zip("f.zip", members);
    const code = `const { Dataset } = await import(${JSON.stringify(module)});
      for (let k = 0; k < 10; k++) {
        const set = await Dataset.open(${JSON.stringify(path)}, { threads: 1 });
        const items = Array.from({ length: 1 + k }, (_, i) => set.item(i).catch(() => {}));
        await items[0];
        await set.close();
      }
      console.log("closed");`;
    const ended = await run(process.execPath, ["--input-type=module", "-e", code]);
    expect([ended.code, ended.stdout]).toEqual([0, "closed\n"]);
  }, 20_000);
});
