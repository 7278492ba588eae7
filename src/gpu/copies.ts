/**
 * One dispatch over several copies of all tensors of a node: two encoders of one shape with weights of their own. Copies lie side
 * by side in each buffer, and the third dimension of the grid tells which one a workgroup is of. What a workgroup computes is what
 * it would compute alone, to the bit: only where it reads and writes moves along.
 */

/** The text of a kernel with all its storage buffers moved by `workgroup_id.z` copies; with one copy it does as before. */
export function overCopies(source: string): string {
  let text = source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "");
  const entry = /fn main\(((?:[^()]|\([^()]*\))*)\)\s*\{/.exec(text);
  if (!entry) throw new Error("overCopies: the text has no main");
  const buffers = [...text.matchAll(/var<storage(?:,\s*\w+)?>\s*(\w+)\s*:\s*array</g)].map(([, name]) => name!);
  const builtin = (name: string) => new RegExp(`@builtin\\(${name}\\)\\s*(\\w+)`).exec(entry[1]!)?.[1];
  const own = (name: string) => (builtin(name) === undefined ? ` @builtin(${name}) copies_${name}: vec3u,` : "");
  const [which, among] = ["workgroup_id", "num_workgroups"].map((name) => `${builtin(name) ?? `copies_${name}`}.z`);
  const starts = buffers.map((name) => `  copy_${name} = ${which} * (arrayLength(&${name}) / ${among});\n`);
  const head = `fn main(${own("workgroup_id")}${own("num_workgroups")}${entry[1]}) {\n${starts.join("")}`;
  text = text.replace(entry[0], () => head);
  for (const name of buffers) text = moved(text, name);
  return `${text}\n${buffers.map((name) => `var<private> copy_${name}: u32;\n`).join("")}`;
}

/** `x[i]` to `x[copy_x + (i)]` throughout. */
function moved(text: string, name: string): string {
  // A function's own variable of the same name would be moved, too; a pointer would not.
  const hidden = new RegExp(`\\b(?:let|const|var)\\s+${name}\\b|[(,]\\s*${name}\\s*:`);
  for (const body of text.split(/\bfn\b/)) {
    const pointer = new RegExp(`(?<!arrayLength\\()&${name}\\b`).exec(body);
    const found = pointer ?? (new RegExp(`(?<![.\\w])${name}\\s*\\[`).test(body) ? hidden.exec(body) : null);
    if (found) throw new Error(`overCopies: "${found[0].trim()}" hides the buffer ${name}: give it another name`);
  }
  const access = new RegExp(`(?<![.\\w])${name}\\s*\\[`, "g");
  let out = "";
  let from = 0;
  for (const match of text.matchAll(access)) {
    const open = match.index + match[0].length;
    // Inside an index that is moved already.
    if (open <= from) continue;
    let close = open;
    for (let depth = 1; depth > 0; close++) depth += text[close] === "[" ? 1 : text[close] === "]" ? -1 : 0;
    const index = moved(text.slice(open, close - 1), name);
    out += `${text.slice(from, open)}copy_${name} + (${index})]`;
    from = close;
  }
  return out + text.slice(from);
}
