// `npm run docs`: the reference of the library from its docstrings, with README and the pages of docs/, as one static folder (site/).
// TypeDoc needs a TypeScript with an API in JavaScript, which is not the one that compiles the project: both are installed apart.
// A warning is a fault: a broken link, a type that is spoken of and not there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, npmCommand, root, run, say } from "./lib.mjs";

const TOOLS = { typedoc: "0.28.20", typescript: "6.0.3" };
/** What the public types lead to, and what is nobody's business outside. */
const INSIDE = [
  ...["AnyKernel", "Case", "DISTILLED", "DeviceRates", "Diffusion", "DistillationRun", "Encodable", "LoadedVae"],
  ...["MatrixShape", "MethodOptions", "Options", "PipelineCache", "Planned", "PointRows"],
  ...["Problem", "Reserve", "Rows", "Run", "SetOnGpu", "Settings", "TABLE", "Tuning", "VaeStructure", "Values"],
  ...["TrainingPrecision", "Wall", "WeightStore"],
];

async function install() {
  const folder = join(root, ".cache/docs-tools");
  const file = join(folder, "package.json");
  const wanted = JSON.stringify({ private: true, dependencies: TOOLS });
  if (existsSync(join(folder, "node_modules/typedoc")) && readFileSync(file, "utf8") === wanted) return folder;
  say("installing TypeDoc (once)");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, wanted);
  const npm = npmCommand();
  const args = [...npm.args, "install", "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error"];
  if ((await run(npm.program, args, { shell: npm.shell, cwd: folder, stdio: ["ignore", 2, 2] })) !== 0)
    throw new Error("TypeDoc could not be installed; npm's own messages are above.");
  return folder;
}

try {
  const tools = await install();
  const options = {
    name: "ncvsd-gpu",
    entryPoints: ["src/index.ts", "src/entries/checkpoint.ts"].map((path) => join(root, path)),
    tsconfig: join(root, "tsconfig.build.json"),
    out: join(root, "site"),
    readme: join(root, "README.md"),
    projectDocuments: ["docs/*.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "weights/README.md"].map((path) =>
      join(root, path),
    ),
    // The compiler of the project has checked the types.
    skipErrorChecking: true,
    treatWarningsAsErrors: true,
    intentionallyNotExported: INSIDE,
    highlightLanguages: ["bash", "sh", "javascript", "js", "typescript", "ts", "json", "yaml", "python", "wgsl"],
    disableSources: true,
    githubPages: true,
  };
  const file = join(root, ".cache/docs-tools/typedoc.json");
  writeFileSync(file, JSON.stringify(options));
  const typedoc = join(tools, "node_modules/typedoc/bin/typedoc");
  process.exitCode = await run(process.execPath, [typedoc, "--options", file]);
} catch (error) {
  fail(error);
}
