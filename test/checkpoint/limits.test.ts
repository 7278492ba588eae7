import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MAX_HEADER_BYTES, MAX_TENSORS } from "../../src/checkpoint/header.js";
import { LIMITS } from "../../src/checkpoint/unpickle/limits.js";
import { MAX_PIXELS } from "../../src/image/pixels.js";

const text = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");

it.each<[string, readonly number[]]>([
  ["header of a safetensors file", [MAX_HEADER_BYTES]],
  ["tensors; dimensions", [MAX_TENSORS, 64]],
  ["opcodes of a pickle", [LIMITS.opcodes]],
  ["containers inside one another", [LIMITS.nesting]],
  ["text of a pickle that is decoded", [LIMITS.totalTextBytes, LIMITS.inlineTextBytes]],
  ["modules; their entries", [LIMITS.modules, LIMITS.moduleEntries]],
  ["entries looked at in search of networks; networks", [LIMITS.searched, LIMITS.networks]],
  ["bytes of all tensors", [LIMITS.expansion]],
  ["deflated members", [LIMITS.expansion, LIMITS.unpackedBase]],
  ["members of an archive", [LIMITS.zipEntries, LIMITS.zipDirectoryBytes]],
  ["pixels of a picture", [MAX_PIXELS]],
])("SECURITY.md gives the limit in force: %s", (name, values) => {
  const row = text.split("\n").find((line) => line.startsWith(`| ${name} |`));
  const numbers = row
    ?.split("|")[2]
    ?.match(/\d[\d,]*/g)
    ?.map((n) => Number(n.replaceAll(",", "")));
  expect(numbers).toEqual(values);
});
