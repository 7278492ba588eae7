import { describe, expect, it } from "vitest";
import { openSource } from "../../src/checkpoint/index.js";
import { ZipArchive } from "../../src/checkpoint/zip.js";
import { ZipWriter } from "../../src/data/zip-writer.js";
import { zipOf } from "../support/dataset.js";

describe("archives of stored members", () => {
  it("give back what was put in, names in UTF-8 and empty members too", async () => {
    const members = {
      "a.txt": Uint8Array.of(1, 2, 3),
      "ordner/größe.png": new Uint8Array(70_000).fill(7),
      empty: new Uint8Array(0),
    };
    const bytes = zipOf(members);
    expect(zipOf(members)).toEqual(bytes);
    const archive = await ZipArchive.open(await openSource(bytes));
    expect([...archive.names]).toEqual(Object.keys(members));
    await archive.verify();
    for (const [name, content] of Object.entries(members)) {
      const member = archive.member(name)!;
      expect(await member.read(0, member.size)).toEqual(content);
    }
  });

  it("may have more members than the old format counts", async () => {
    const count = 70_000;
    const members = Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`, Uint8Array.of(i & 255)]));
    const archive = await ZipArchive.open(await openSource(zipOf(members)));
    expect([...archive.names]).toHaveLength(count);
    expect([...(await archive.member("69999")!.read(0, 1))]).toEqual([69_999 & 255]);
    const few = { entries: 69_999, directoryBytes: 2 ** 30 };
    await expect(ZipArchive.open(await openSource(zipOf(members)), few)).rejects.toThrow("70000 members");
  });

  it("refuse a name that is taken", () => {
    const zip = new ZipWriter(() => {});
    zip.add("a", new Uint8Array(0));
    expect(() => zip.add("a", new Uint8Array(0))).toThrow("two members");
  });
});
