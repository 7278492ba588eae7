import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readableName } from "../../gpu/adapter-name.js";
import { type TuningFile, tuningFolder } from "../../gpu/tuning-cache.js";
import { table } from "../../runs/table.js";

interface Kept {
  readonly file: string;
  readonly content: TuningFile;
}

/** The tuner's files, those of other versions and adapters too; what is not one is passed over. */
function keptChoices(folder: string): Kept[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.sort().flatMap((name) => {
    const file = join(folder, name);
    try {
      const content = JSON.parse(readFileSync(file, "utf8")) as TuningFile;
      const whole = content.tool === "ncvsd-gpu" && content.identity && typeof content.choices === "object";
      return whole ? [{ file, content }] : [];
    } catch {
      return [];
    }
  });
}

/** `bench --tune --list`: what is kept, for which adapters; `--clear`: that, and it is removed. */
export function benchChoices({ clear, json }: { readonly clear?: boolean; readonly json?: boolean }): void {
  const folder = tuningFolder();
  const kept = keptChoices(folder);
  if (clear) for (const { file } of kept) rmSync(file, { force: true });
  if (json) {
    const files = kept.map(({ file, content: { identity, date, choices } }) => ({ file, ...identity, date, choices }));
    process.stdout.write(`${JSON.stringify({ folder, cleared: clear === true, files })}\n`);
    return;
  }
  const rows = kept.map(({ content: { identity, date, choices } }) => [
    readableName(identity.adapter),
    identity.precision,
    identity.engine,
    String(Object.keys(choices).length),
    date.slice(0, 10),
  ]);
  const said =
    kept.length === 0 ? `no choices are kept in ${folder}` : clear ? `removed from ${folder}:` : `${folder}:`;
  const lines =
    rows.length === 0 ? [] : table(["adapter", "precision", "version", "choices", "date"], rows, { cut: ["adapter"] });
  process.stdout.write(`${[said, ...lines].join("\n")}\n`);
}
