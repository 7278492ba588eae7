// Draws the rooms of scripts/house.mjs for docs/architecture.md: node scripts/draw-house.mjs
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOMS } from "./house.mjs";

export const PICTURE = "docs/images/house.svg";

/** What a room is for, in a few words. */
const PURPOSE = {
  "src/errors.ts": "codes, one sentence",
  "src/node": "the door to Node",
  "src/gpu": "device, pipelines, contract",
  "src/checkpoint": "files to tensors",
  "src/image": "pixels, PNG, sheets",
  kernels: "WGSL, contract, float64 reference",
  "src/graph": "graph, plan, program, interpret",
  "src/layers": "networks' parts as nodes",
  "src/random": "noise by (seed, draw)",
  "src/networks": "what samplers ask of a network",
  "src/networks/edm2": "EDM2, NCVSD",
  "src/networks/vae": "latents to pictures",
  "src/networks/features": "Frechet distance, LPIPS",
  "src/operators": "what is measured; tasks",
  "src/sample": "Heun, multi-step, PnP-GD",
  "src/evaluate": "statistics, distances, report",
  "src/data": "files to arrays and pictures",
  "src/setup": "finds or installs an adapter",
  "src/runs": "folders of results",
  "src/measure": "peaks, races, tuner",
  "src/cli": "commands",
  bench: "benchmarks",
  "src/index.ts": "the library",
  "src/entries": "parts of the library",
  web: "the page: desk, worker",
};

const WIDTH = 760;
const ROW = { height: 44, gap: 10 };
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

export function drawHouse(rooms = ROOMS) {
  const rows = [...rooms].reverse();
  const height = rows.length * (ROW.height + ROW.gap) + ROW.gap;
  const boxes = rows.flatMap((line, y) => {
    const width = (WIDTH - ROW.gap * (line.length + 1)) / line.length;
    return line.map((room, x) => {
      const [left, top] = [ROW.gap + x * (width + ROW.gap), ROW.gap + y * (ROW.height + ROW.gap)];
      const middle = (left + width / 2).toFixed(1);
      return `<rect x="${left.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${ROW.height}" rx="4"/>
<text x="${middle}" y="${top + 18}" class="name">${escaped(room)}</text>
<text x="${middle}" y="${top + 35}">${escaped(PURPOSE[room] ?? "")}</text>`;
    });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<title>Rooms of the code, each line importing those below</title>
<style>
svg { background: #fff }
rect { fill: #f4f6f8; stroke: #8a97a5 }
text { font: 12px Helvetica, Arial, sans-serif; fill: #52606d; text-anchor: middle }
.name { font-weight: bold; fill: #1f2933 }
</style>
${boxes.join("\n")}
</svg>
`;
}

const [, main] = process.argv;
if (main === fileURLToPath(import.meta.url)) {
  writeFileSync(join(fileURLToPath(new URL("..", import.meta.url)), PICTURE), drawHouse());
}
