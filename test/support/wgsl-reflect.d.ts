// The package's own types are not reachable through this path, and its bare name exports nothing under Node ESM.
declare module "wgsl_reflect/wgsl_reflect.module.js" {
  interface ReflectedType {
    name: string;
    size: number;
    format?: ReflectedType | null;
  }
  interface ReflectedMember {
    name: string;
    offset: number;
    size: number;
    type: ReflectedType;
  }
  interface ReflectedVariable {
    name: string;
    group: number;
    binding: number;
    access: string;
    size: number;
    members?: ReflectedMember[];
  }
  export class WgslReflect {
    constructor(code: string);
    uniforms: ReflectedVariable[];
    storage: ReflectedVariable[];
  }
}
