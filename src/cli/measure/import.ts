import { basename, extname } from "node:path";
import type { Command } from "commander";
import { writeSafetensors } from "../../checkpoint/index.js";
import type { ValueRange } from "../../data/arrays.js";
import { type Geometry, readGeometry } from "../../data/geometry.js";
import { readHdf5 } from "../../data/hdf5.js";
import { cropReadout, type Kspace, kspaceScale, measuredMask, planes } from "../../data/kspace.js";
import type { AxisIndex, ScientificArray } from "../../data/scientific.js";
import { readTiff } from "../../data/tiff.js";
import { bad, quote } from "../../errors.js";
import { parseInteger, parseNumber, parseRange } from "../../runs/args.js";
import { table } from "../../runs/table.js";
import { writeAtomic } from "../../runs/whole-file.js";

interface ImportFlags {
  key?: string;
  index?: AxisIndex[];
  out: string;
  scale?: number | "auto";
  range?: ValueRange;
  geometry?: string;
  readout?: number;
  force?: boolean;
  json?: boolean;
}

const HDF5 = [".h5", ".hdf5", ".hdf", ".he5", ".nxs"];
const TIFF = [".tif", ".tiff"];

/** What `--out` gets. */
interface Measurement {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  readonly scale: number;
  readonly range?: ValueRange;
  readonly mask?: { readonly shape: readonly number[]; readonly values: Float32Array };
}

export function registerMeasureImport(measure: Command): Command {
  return measure
    .command("import")
    .summary("read a measurement from an HDF5 or TIFF file")
    .description(
      "Writes a data set of an HDF5 file, or the pages of a TIFF file, as a measurement for `restore --measurement`: complex numbers " +
        "as k-space (real and imaginary plane, divided by a scale that is kept, with the mask of what was measured), integers and " +
        "floating point as they stand. The range of values, the scale and the geometry go into the file's metadata. Needs no GPU.",
    )
    .argument("<file>", "HDF5 (.h5, .hdf5, .nxs) or TIFF (.tif, .tiff)")
    .option("--key <name>", "HDF5: the data set, such as kspace (default: the only one)")
    .option(
      "--index <list>",
      "places on the first axes, such as 12 or 0:4,:,100; of TIFF files pages, rows, columns",
      parseIndex,
    )
    .requiredOption("--out <file>", "the safetensors file to write")
    .option(
      "--scale <x>",
      "what values are divided by; auto: the 0.99 quantile of the coils' picture (default: auto for k-space, else 1)",
      (text: string) => (text === "auto" ? "auto" : parseNumber(text, "--scale", { above: 0 })),
    )
    .option(
      "--range <black,white>",
      "numbers of black and white in the picture, after --scale (default: 0,1 for k-space, the whole range of integers)",
      (text: string) => parseRange(text),
    )
    .option("--geometry <file>", "tomography: JSON with geometry, angles (radians), detectors, detectorSpacing, …")
    .option(
      "--readout <n>",
      "k-space: rows of the picture that are kept, in its middle (scanners sample that direction twofold)",
      (text: string) => parseInteger(text, "--readout", { min: 1 }),
    )
    .option("--force", "replace a file that is there, whoever made it")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu measure import file1000000.h5 --key kspace --index 17 \\",
        "    --readout 320 --out slice.safetensors",
        "  ncvsd-gpu measure import projections.tif --index :,256 \\",
        "    --geometry scan.json --out sinogram.safetensors",
      ].join("\n"),
    )
    .action(async (path: string, flags: ImportFlags) => {
      const read = await readFile(path, flags);
      const { array } = read;
      const made = array.imaginary ? fromKspace(path, array, read.mask, flags) : fromReal(path, array, flags);
      const geometry = flags.geometry === undefined ? undefined : await fittingGeometry(flags.geometry, made.shape);
      const metadata = {
        source: basename(path),
        ...(read.key === undefined ? {} : { key: read.key }),
        scale: made.scale,
        ...(made.range ? { value_range: made.range } : {}),
        ...(geometry ? { geometry } : {}),
      };
      const texts = Object.entries(metadata).map(([name, value]) => [
        name,
        typeof value === "string" ? value : JSON.stringify(value),
      ]);
      const tensor = (name: string, { shape, values }: { shape: readonly number[]; values: Float32Array }) => ({
        name,
        dtype: "F32",
        shape,
        data: values,
      });
      const tensors = [tensor("measurement", made), ...(made.mask ? [tensor("mask", made.mask)] : [])];
      writeAtomic(flags.out, writeSafetensors(tensors, { tool: "ncvsd-gpu", ...Object.fromEntries(texts) }));
      const known = made.mask && made.mask.values.reduce((a, b) => a + b, 0) / made.mask.values.length;
      const result = {
        out: flags.out,
        measurement: made.shape,
        ...(made.mask ? { mask: made.mask.shape, measured: known } : {}),
        ...metadata,
      };
      if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
      else process.stdout.write(`${table(["", ""], Object.entries(result).map(fact), { bare: true }).join("\n")}\n`);
    });
}

const fact = ([name, value]: [string, unknown]): [string, string] => [
  name.replace("value_range", "black, white"),
  Array.isArray(value)
    ? value.join(", ")
    : typeof value === "object"
      ? `${JSON.stringify(value).slice(0, 60)}`
      : `${value}`,
];

/** "12", ":", "0:4", one for each of the first axes. */
function parseIndex(text: string): AxisIndex[] {
  return text.split(",").map((part) => {
    const found = /^\s*(?:(\d{1,9})|(\d{0,9}):(\d{0,9}))\s*$/.exec(part);
    if (!found) throw bad(`--index ${quote(text)}: must be places, such as 12 or 0:4,:,100`);
    if (found[1] !== undefined) return Number(found[1]);
    return { from: Number(found[2] || 0), ...(found[3] ? { to: Number(found[3]) } : {}) };
  });
}

async function readFile(path: string, { key, index = [] }: ImportFlags) {
  const kind = extname(path).toLowerCase();
  if (HDF5.includes(kind)) return readHdf5(path, key, index);
  if (!TIFF.includes(kind)) throw bad(`${path} is of a kind that is not imported: give an HDF5 or a TIFF file`);
  if (key !== undefined) throw bad("--key is for HDF5 files, whose data sets have names: leave it out");
  return { array: await readTiff(path, index), key: undefined, mask: undefined };
}

const shapeOf = (shape: readonly number[]) => `[${shape.join(", ")}]`;

function fromKspace(
  path: string,
  array: ScientificArray,
  mask: ScientificArray | undefined,
  flags: ImportFlags,
): Measurement {
  const shape = array.shape;
  const [coils, height, width] = shape.length === 2 ? [1, ...shape] : shape;
  if (shape.length < 2 || shape.length > 3)
    throw bad(
      `${path} has complex numbers of shape ${shapeOf(shape)}: k-space of one picture is [H, W] or [coils, H, W], take one with --index`,
    );
  const whole: Kspace = { re: array.values, im: array.imaginary!, coils: coils!, height: height!, width: width! };
  if (flags.readout !== undefined && flags.readout > whole.height)
    throw bad(`--readout ${flags.readout} is more than the ${whole.height} rows that there are`);
  checkFinite(path, array.values);
  checkFinite(path, array.imaginary!);
  const measured = measuredMask(whole);
  if (flags.readout !== undefined && flags.readout !== whole.height && measured.length !== whole.width)
    throw bad("--readout needs whole columns of k-space, but the measured places are scattered: leave it out");
  const cropped = flags.readout === undefined ? whole : cropReadout(whole, flags.readout);
  const scale = flags.scale === undefined || flags.scale === "auto" ? kspaceScale(cropped) : flags.scale;
  if (!(scale > 0)) throw bad(`${path}: the k-space is all 0: there is nothing to restore`);
  const known = mask && mask.values.length === cropped.width ? mask.values.map((v) => (v === 0 ? 0 : 1)) : measured;
  const { shape: extents, values } = planes(cropped);
  return {
    shape: extents,
    values: values.map((v) => v / scale),
    scale,
    range: flags.range ?? [0, 1],
    mask: { shape: known.length === cropped.width ? [cropped.width] : [cropped.height, cropped.width], values: known },
  };
}

function checkFinite(path: string, values: Float32Array): void {
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`${path} has a value that is ${values[at]} (element ${at}): only finite values are imported`);
}

function fromReal(path: string, { shape, values, range: whole }: ScientificArray, flags: ImportFlags): Measurement {
  if (shape.length === 0) throw bad(`${path} has a single number there: name a data set of measurements with --key`);
  if (flags.readout !== undefined) throw bad("--readout is for k-space, which is complex: leave it out");
  if (flags.scale === "auto") throw bad("--scale auto is for k-space, which is complex: name a number");
  checkFinite(path, values);
  const scale = flags.scale ?? 1;
  const range = flags.range ?? (whole && ([whole[0] / scale, whole[1] / scale] as const));
  return { shape, values: scale === 1 ? values : values.map((v) => v / scale), scale, ...(range ? { range } : {}) };
}

/** The scanner's geometry, which has to fit the measurement. */
async function fittingGeometry(path: string, shape: readonly number[]): Promise<Geometry> {
  const geometry = await readGeometry(path, `--geometry ${path}`);
  const [angles, detectors] = shape.slice(-2);
  if (geometry.angles.length !== angles || geometry.detectors !== detectors)
    throw bad(
      `--geometry ${path} has ${geometry.angles.length} angles and ${geometry.detectors} detectors, but the measurement is ${shapeOf(shape)}: its last axes must be those`,
    );
  return geometry;
}
