/** Node's modules that the library itself uses, each imported when it is asked for. */
export interface NodeModules {
  readonly crypto: () => Promise<typeof import("node:crypto")>;
  readonly fs: () => Promise<typeof import("node:fs")>;
  readonly files: () => Promise<typeof import("node:fs/promises")>;
  readonly os: () => Promise<typeof import("node:os")>;
  readonly path: () => Promise<typeof import("node:path")>;
  readonly url: () => Promise<typeof import("node:url")>;
  readonly zlib: () => Promise<typeof import("node:zlib")>;
}

/**
 * The one door to them. Where a bundler builds for browsers, modules-browser.ts stands in (package.json, `browser`), and no bundler
 * meets a name that begins with `node:`.
 */
export const node: NodeModules = {
  crypto: () => import("node:crypto"),
  fs: () => import("node:fs"),
  files: () => import("node:fs/promises"),
  os: () => import("node:os"),
  path: () => import("node:path"),
  url: () => import("node:url"),
  zlib: () => import("node:zlib"),
};
