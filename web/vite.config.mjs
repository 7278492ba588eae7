// Builds the page into web/dist: one folder that can lie under any path. `npm run web` builds the library first.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { facts } from "./build/facts.mjs";
import { offline } from "./build/offline.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig(({ command }) => ({
  root: path("."),
  base: "./",
  define: { "import.meta.env.OFFLINE": String(command === "build") },
  resolve: { alias: { "ncvsd-gpu": path("../dist/src/index.js") } },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  worker: { format: "es", plugins: () => [facts()] },
  plugins: [facts(), offline()],
  server: { fs: { allow: [path("..")] } },
  build: {
    outDir: path("dist"),
    emptyOutDir: true,
    target: "esnext",
    // The stored pictures stand in the page itself: they are there with its first bytes.
    assetsInlineLimit: (file) => file.includes("/recorded/") && file.endsWith(".png"),
    modulePreload: { polyfill: false },
  },
}));
