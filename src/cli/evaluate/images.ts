import type { Command } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { shapeText } from "../../data/inputs.js";
import { pairPictures, readPicture } from "../../data/pictures.js";
import { NcvsdError, oneLine } from "../../errors.js";
import { psnr, ssim } from "../../image/metrics.js";
import { valuesFromImages } from "../../image/pixels.js";
import { parseRange, RANGE_HELP } from "../../runs/args.js";
import { tell } from "../../runs/progress.js";
import { table } from "../../runs/table.js";

export function registerEvaluateImages(evaluate: Command): Command {
  return evaluate
    .command("images")
    .summary("PSNR and SSIM between the images of two folders")
    .description(
      "PSNR (dB) and SSIM of every image of a folder against the image of the same name in another, and their means, as piq 0.8 " +
        "defines them. PNG, JPEG and .npy, grey or RGB; subfolders are looked into.",
    )
    .requiredOption("--data <dir>", "the images")
    .requiredOption("--ref <dir>", "what they are compared with")
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t))
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu evaluate images --data restored --ref truth")
    .action(async (flags: { data: string; ref: string; range?: ValueRange; json?: boolean }) => {
      const images: { name: string; psnr: number; ssim: number }[] = [];
      for (const { name, data, ref } of pairPictures(flags.data, flags.ref, tell))
        images.push({ name, ...(await compare(data, ref, flags.range)) });
      const mean = (key: "psnr" | "ssim") => images.reduce((sum, image) => sum + image[key], 0) / images.length;
      const means = { psnr: mean("psnr"), ssim: mean("ssim") };
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ n: images.length, images, mean: means })}\n`);
        return;
      }
      const rows = [...images, { name: `mean of ${images.length}`, ...means }].map(({ name, psnr, ssim }) => [
        oneLine(name),
        psnr.toFixed(3),
        ssim.toFixed(4),
      ]);
      process.stdout.write(`${table(["image", "PSNR dB", "SSIM"], rows, { cut: ["image"] }).join("\n")}\n`);
    });
}

async function compare(
  data: string,
  ref: string,
  range: ValueRange | undefined,
): Promise<{ psnr: number; ssim: number }> {
  const [x, truth] = [await readPicture(data, range, tell), await readPicture(ref, range, tell)] as const;
  const shapes = [x, truth].map(({ channels, height, width }) => shapeText([channels, height, width]));
  if (shapes[0] !== shapes[1])
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `${data} is ${shapes[0]}, but ${ref} is ${shapes[1]}: they cannot be compared`,
    );
  const { values, shape } = valuesFromImages([x, truth]);
  const half = values.length / 2;
  const [a, b] = [values.subarray(0, half), values.subarray(half)];
  const one = [1, shape[1], shape[2], shape[3]] as const;
  return { psnr: psnr(a, b, one)[0]!, ssim: ssim(a, b, one)[0]! };
}
