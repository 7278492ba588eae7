// What proves a kernel (reference, cases, tolerance) is left out of what computes with it: bundlers cannot drop properties of an
// object. Beside every kernel.js the build keeps whole.js, as it was written; kernels/index.js, the list that doctor and the
// microbenchmarks go through, has the whole ones.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PROOFS = new Set(["reference", "cases", "tolerance"]);

/** The text of a kernel.js without its proofs: properties of the object that is exported, or handed to what makes the kernel. */
export function withoutProofs(text, parse) {
  const spans = parse(text)
    .body.filter(
      ({ type, declaration }) => type === "ExportNamedDeclaration" && declaration?.type === "VariableDeclaration",
    )
    .flatMap(({ declaration }) => declaration.declarations.map(({ init }) => init))
    .flatMap((init) => (init.type === "CallExpression" ? init.arguments : [init]))
    .filter(({ type }) => type === "ObjectExpression")
    .flatMap(({ properties }) => properties.filter(({ type, key }) => type === "Property" && PROOFS.has(key.name)))
    .map(({ start, end }) => [start, text[end] === "," ? end + 1 : end]);
  return spans.reduceRight((rest, [start, end]) => rest.slice(0, start) + rest.slice(end), text);
}

export async function splitKernels(folder) {
  // Loaded late: a compiler's error needs no parser.
  const { parseAst } = await import("vite");
  for (const entry of readdirSync(folder, { recursive: true })) {
    if (!/[\\/]kernel\.js$/.test(entry)) continue;
    const file = join(folder, entry);
    const text = readFileSync(file, "utf8");
    writeFileSync(file.replace(/kernel\.js$/, "whole.js"), text);
    writeFileSync(file, withoutProofs(text, parseAst));
  }
  const list = join(folder, "index.js");
  writeFileSync(list, readFileSync(list, "utf8").replaceAll('/kernel.js"', '/whole.js"'));
}
