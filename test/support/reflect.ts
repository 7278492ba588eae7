import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import type { Reflection, UniformMember } from "../../src/gpu/reflect.js";

/** What a whole parser of WGSL says of a text's buffers and uniforms. */
export function parsedReflection(text: string): Reflection {
  const reflect = new WgslReflect(text);
  const storage = reflect.storage
    .map((v) => ({ name: v.name, binding: v.binding, writable: v.access === "read_write" || v.access === "write" }))
    .sort((a, b) => a.binding - b.binding);
  const uniform = reflect.uniforms[0];
  const members = (uniform?.members ?? []).map((member) => {
    const kind = /(u32|i32|f32)/.exec(`${member.type.name} ${typeName(member.type)}`)![1] as UniformMember["kind"];
    return { name: member.name, offset: member.offset, kind, count: member.size / 4 };
  });
  return { storage, members, uniformSize: Math.ceil((uniform?.size ?? 16) / 16) * 16 };
}

function typeName(type: { name: string; format?: unknown }): string {
  const format = type.format as { name: string; format?: unknown } | null | undefined;
  return format ? `${format.name} ${typeName(format)}` : shortVector(type.name);
}

/** vec4f, vec4u, vec4i carry their scalar in the last letter. */
function shortVector(name: string): string {
  const letter = /^vec[234]([fui])$/.exec(name)?.[1];
  return letter === "f" ? "f32" : letter === "u" ? "u32" : letter === "i" ? "i32" : name;
}
