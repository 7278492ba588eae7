import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { packageRoot, version } from "../runs/package.js";

export function registerCite(program: Command): void {
  program
    .command("cite")
    .summary("print BibTeX entries of the papers behind this")
    .description("Prints BibTeX entries: the papers that ncvsd-gpu implements, and ncvsd-gpu itself.")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu cite >> references.bib")
    .action(() => {
      const entries = readFileSync(join(packageRoot, "CITATION.bib"), "utf8");
      process.stdout.write(entries.replace("{VERSION}", `{${version}}`));
    });
}
