import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { cliOk, run } from "../support/cli.js";

const commands = new URL("../../dist/src/cli/commands.js", import.meta.url).href;

/** Prints the help of every command below the first, as a terminal of 80 columns shows it, by the words that lead there. */
const script = `
import { Command } from "commander";
import { registerCommands } from "${commands}";
const program = new Command("ncvsd-gpu");
await registerCommands(program);
const helps = (command, path) => {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 }).outputHelp();
  return [[path, help], ...command.commands.flatMap((sub) => helps(sub, path + " " + sub.name()))];
};
console.log(JSON.stringify(program.commands.flatMap((command) => helps(command, command.name()))));
`;

it("the help of every command fits 80 columns, examples included", async () => {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd });
  const below: (readonly [path: string, help: string])[] = JSON.parse(stdout);
  const all = [["ncvsd-gpu", (await cliOk(["--help"])).stdout] as const, ...below];
  expect(all.length).toBeGreaterThan(30);
  expect(all.filter(([, help]) => /Examples?:\n {2}ncvsd-gpu/.test(help)).length).toBeGreaterThan(25);
  for (const [path, help] of all)
    for (const line of help.split("\n")) expect(line.length, `${path}: ${line}`).toBeLessThanOrEqual(80);
});
