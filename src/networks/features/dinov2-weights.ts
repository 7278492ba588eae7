import type { Checkpoint } from "../../checkpoint/index.js";
import type { WeightSource } from "../../layers/weights.js";
import { type Dinov2Config, PATCH } from "./dinov2.js";
import { notThis, requireShape, shapeOf, type TensorHash } from "./named-tensors.js";

const NETWORK = "DINOv2";

/** Where a file keeps a tensor: under one name, or as three to be put under each other. */
type Locate = (name: string) => readonly string[];

export interface Dinov2File {
  /** Without the number of heads, which no shape tells. */
  readonly config: Omit<Dinov2Config, "heads">;
  /** What the tensors' names say. */
  readonly layout: string;
  /** Tensors by the names of the authors' code; LayerScale is folded into `attn.proj` and the MLP's second layer. */
  source(hash: TensorHash): WeightSource;
}

/**
 * DINOv2 in one of its layouts: the authors' (`dinov2_*_pretrain.pth`, behind any prefix, blocks in chunks or not), timm's
 * (the same names but for registers and SwiGLU; with registers the class token holds its position) or Hugging Face's
 * (`embeddings.patch_embeddings.projection.weight`).
 * @returns undefined when the file has no such tensors
 * @throws BAD_CHECKPOINT when it is another vision transformer, or tensors are missing or misshapen
 */
export function dinov2File(file: Checkpoint): Dinov2File | undefined {
  const layout = layoutOf(file);
  if (!layout) return undefined;
  const { locate, has, blocks } = layout;
  const refuse = (why: string) => notThis(file.name, NETWORK, why);
  if (blocks === 0) throw refuse("it has no blocks");
  if (!has("blocks.0.ls1.gamma")) throw refuse("its blocks have no LayerScale: it is another vision transformer");
  const patch = shapeOf(file, NETWORK, locate("patch_embed.proj.weight")[0]!);
  const width = patch[0] ?? 0;
  if (patch.length !== 4 || patch[1] !== 3 || patch[2] !== PATCH || patch[3] !== PATCH)
    throw refuse(`its patches' weight is [${patch.join(", ")}] where [d, 3, ${PATCH}, ${PATCH}] is needed`);
  const tokens = shapeOf(file, NETWORK, locate("pos_embed")[0]!)[1] ?? 0;
  const own = layout.classless ? 0 : 1;
  const grid = Math.round(Math.sqrt(tokens - own));
  if (grid < 1 || grid ** 2 !== tokens - own) {
    const what = own === 1 ? "a class token's and those of a square of patches" : "those of a square of patches";
    throw refuse(`its ${tokens} positions are not ${what}`);
  }
  const registers = has("register_tokens") ? (shapeOf(file, NETWORK, locate("register_tokens")[0]!)[1] ?? 0) : 0;
  const gated = has("blocks.0.mlp.w12.weight");
  const [into, out] = gated ? ["w12", "w3"] : ["fc1", "fc2"];
  const hidden = shapeOf(file, NETWORK, locate(`blocks.0.mlp.${out}.weight`)[0]!)[1] ?? 0;
  const config = { width, blocks, hidden, gated, registers, grid };
  const shapes = new Map<string, readonly number[]>([
    ["cls_token", [1, 1, width]],
    ["pos_embed", [1, tokens, width]],
    ["patch_embed.proj.weight", patch],
    ["patch_embed.proj.bias", [width]],
    ["norm.weight", [width]],
    ["norm.bias", [width]],
  ]);
  if (registers > 0) shapes.set("register_tokens", [1, registers, width]);
  for (let i = 0; i < blocks; i++) {
    const wide = gated ? 2 * hidden : hidden;
    for (const [name, shape] of [
      ["attn.qkv.weight", [3 * width, width]],
      ["attn.qkv.bias", [3 * width]],
      ["attn.proj.weight", [width, width]],
      [`mlp.${into}.weight`, [wide, width]],
      [`mlp.${into}.bias`, [wide]],
      [`mlp.${out}.weight`, [width, hidden]],
      ...["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma", "ls2.gamma", "attn.proj.bias"].map(
        (part) => [part, [width]] as const,
      ),
      [`mlp.${out}.bias`, [width]],
    ] as [string, number[]][])
      shapes.set(`blocks.${i}.${name}`, shape);
  }
  for (const [name, [rows = 0, ...rest]] of shapes) {
    const parts = locate(name);
    for (const part of parts) requireShape(file, NETWORK, part, [rows / parts.length, ...rest]);
  }
  return { config, layout: layout.name, source: (hash) => folded(file, layout, shapes, hash) };
}

interface Layout {
  readonly name: string;
  readonly locate: Locate;
  has(name: string): boolean;
  readonly blocks: number;
  /** The stored positions are those of the patches; that of the class token is part of it. */
  readonly classless: boolean;
}

function layoutOf(file: Checkpoint): Layout | undefined {
  const names = [...file.tensors.keys()];
  const prefixesOf = (mark: string) =>
    names.filter((name) => name === mark || name.endsWith(`.${mark}`)).map((name) => name.slice(0, -mark.length));
  const layout = (name: string, locate: Locate, numbers: readonly number[], classless = false): Layout => ({
    name,
    locate,
    classless,
    has: (tensor) => locate(tensor).every((part) => file.tensors.has(part)),
    blocks: Math.max(-1, ...numbers) + 1,
  });
  const faces = prefixesOf("embeddings.patch_embeddings.projection.weight");
  if (faces.length > 0) {
    const prefix = faces[0]!;
    const numbers = names.flatMap((name) => numberAfter(name, `${prefix}encoder.layer.`));
    return layout("Hugging Face", (name) => huggingFace(name).map((part) => prefix + part), numbers);
  }
  const hubs = prefixesOf("patch_embed.proj.weight");
  if (hubs.length === 0) return undefined;
  // Training states hold a student beside the teacher that is published.
  const prefix = hubs.find((text) => /(^|\.)teacher\./.test(text)) ?? hubs[0]!;
  // Blocks may lie in chunks, blocks.CHUNK.NUMBER, and keep their numbers.
  const stored = new Map<string, string>();
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    stored.set(name.slice(prefix.length).replace(/^blocks\.\d+\.(\d+\.)/, "blocks.$1"), name);
  }
  const numbers = [...stored.keys()].flatMap((name) => numberAfter(name, "blocks."));
  const locate = (name: string) => [stored.get(name) ?? prefix + name];
  const rowsOf = (part: string, axis: number) =>
    file.tensors.get(locate(`blocks.0.mlp.${part}.weight`)[0]!)?.shape[axis];
  const [wide, hidden] = [rowsOf("fc1", 0), rowsOf("fc2", 1)];
  const gated = wide !== undefined && hidden !== undefined && wide === 2 * hidden;
  const registers = stored.has("reg_token");
  if (!gated && !registers) return layout("dinov2", locate, numbers);
  const timm = (name: string) => {
    const own = registers ? name.replace(/^register_tokens$/, "reg_token") : name;
    return locate(gated ? own.replace(/\bmlp\.w12\b/, "mlp.fc1").replace(/\bmlp\.w3\b/, "mlp.fc2") : own);
  };
  return layout("timm", timm, numbers, registers);
}

function numberAfter(name: string, start: string): number[] {
  const found = name.startsWith(start) ? /^\d+/.exec(name.slice(start.length)) : null;
  return found ? [Number(found[0])] : [];
}

const OUTSIDE: Readonly<Record<string, string>> = {
  cls_token: "embeddings.cls_token",
  register_tokens: "embeddings.register_tokens",
  pos_embed: "embeddings.position_embeddings",
};

/** Hugging Face's names of a tensor of the authors' code. */
function huggingFace(name: string): string[] {
  if (OUTSIDE[name]) return [OUTSIDE[name]];
  const [, number, part] = /^blocks\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (part === undefined)
    return [
      name.replace(/^patch_embed\.proj/, "embeddings.patch_embeddings.projection").replace(/^norm\./, "layernorm."),
    ];
  const at = `encoder.layer.${number}.`;
  const [, kind] = /^attn\.qkv\.(\w+)$/.exec(part) ?? [];
  if (kind) return ["query", "key", "value"].map((which) => `${at}attention.attention.${which}.${kind}`);
  return [
    at +
      part
        .replace(/^attn\.proj/, "attention.output.dense")
        .replace(/^ls([12])\.gamma$/, "layer_scale$1.lambda1")
        .replace(/^mlp\.w12/, "mlp.weights_in")
        .replace(/^mlp\.w3/, "mlp.weights_out"),
  ];
}

function folded(
  file: Checkpoint,
  { locate, classless }: Layout,
  shapes: ReadonlyMap<string, readonly number[]>,
  hash: TensorHash,
): WeightSource {
  const read = async (name: string) => {
    const parts: Float32Array<ArrayBuffer>[] = [];
    for (const part of locate(name)) parts.push(await file.readF32(part));
    let values = parts[0]!;
    if (parts.length > 1) {
      values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        values.set(part, at);
        at += part.length;
      }
    }
    await hash.add(name, shapes.get(name)!, values);
    return values;
  };
  return {
    async readF32(name) {
      const values = await read(name);
      // A position of zeros for the class token, which has its own already.
      if (classless && name === "pos_embed") {
        const whole = new Float32Array(values.length + shapes.get("norm.weight")![0]!);
        whole.set(values, whole.length - values.length);
        return whole;
      }
      const [, block, part] = /^(blocks\.\d+)\.(attn\.proj|mlp\.(?:fc2|w3))\.\w+$/.exec(name) ?? [];
      if (!part) return values;
      // LayerScale multiplies the layer's output, bias included.
      const gamma = await read(`${block}.${part === "attn.proj" ? "ls1" : "ls2"}.gamma`);
      const row = values.length / gamma.length;
      return values.map((v, i) => v * gamma[Math.floor(i / row)]!);
    },
  };
}
