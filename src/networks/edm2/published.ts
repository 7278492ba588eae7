import { bundledNetwork, bundledTeacher } from "../../checkpoint/bundled.js";
import type { CheckpointInput } from "../../checkpoint/index.js";

/** A published network, or one with the guide and the guidance that its authors found best for a measure. */
export interface PublishedNetwork {
  /** URL, or hf:// address. */
  readonly net: string;
  readonly gnet?: string;
  readonly guidance?: number;
  /** What it makes. */
  readonly makes: string;
  /** What its authors measured: "FID 1.58". */
  readonly stated?: string;
}

/** Where the EDM2 authors keep their post-hoc reconstructions (EDM2, README). */
const EDM2 = "https://nvlabs-fi-cdn.nvidia.com/edm2/posthoc-reconstructions";
/** The one NCVSD network that its authors have put out, and its teacher. */
const NCVSD = "hf://xypeng9903/ncvsd";

const MEASURES = { fid: "FID", dino: "FD-DINOv2" } as const;

/**
 * The presets of the EDM2 reference (generate_images.py), in a line each: set and size, what it was chosen for, training images in
 * kimg and EMA length of the network, of its guide, the guidance, and the distance that the authors state.
 */
const TABLE = `
img512-xs   fid             xs 2147483-0.135                                    3.53
img512-xs   dino            xs 2147483-0.200                                    103.39
img512-s    fid             s 2147483-0.130                                     2.56
img512-s    dino            s 2147483-0.190                                     68.64
img512-m    fid             m 2147483-0.100                                     2.25
img512-m    dino            m 2147483-0.155                                     58.44
img512-l    fid             l 1879048-0.085                                     2.06
img512-l    dino            l 1879048-0.155                                     52.25
img512-xl   fid             xl 1342177-0.085                                    1.96
img512-xl   dino            xl 1342177-0.155                                    45.96
img512-xxl  fid             xxl 0939524-0.070                                   1.91
img512-xxl  dino            xxl 0939524-0.150                                   42.84
img64-s     fid             s 1073741-0.075                                     1.58
img64-m     fid             m 2147483-0.060                                     1.43
img64-l     fid             l 1073741-0.040                                     1.33
img64-xl    fid             xl 0671088-0.040                                    1.33
img512-xs   guid-fid        xs 2147483-0.045        xs-uncond 2147483-0.045 1.4  2.91
img512-xs   guid-dino       xs 2147483-0.150        xs-uncond 2147483-0.150 1.7  79.94
img512-s    guid-fid        s 2147483-0.025         xs-uncond 2147483-0.025 1.4  2.23
img512-s    guid-dino       s 2147483-0.085         xs-uncond 2147483-0.085 1.9  52.32
img512-m    guid-fid        m 2147483-0.030         xs-uncond 2147483-0.030 1.2  2.01
img512-m    guid-dino       m 2147483-0.015         xs-uncond 2147483-0.015 2    41.98
img512-l    guid-fid        l 1879048-0.015         xs-uncond 2147483-0.015 1.2  1.88
img512-l    guid-dino       l 1879048-0.035         xs-uncond 2147483-0.035 1.7  38.20
img512-xl   guid-fid        xl 1342177-0.020        xs-uncond 2147483-0.020 1.2  1.85
img512-xl   guid-dino       xl 1342177-0.030        xs-uncond 2147483-0.030 1.7  35.67
img512-xxl  guid-fid        xxl 0939524-0.015       xs-uncond 2147483-0.015 1.2  1.81
img512-xxl  guid-dino       xxl 0939524-0.015       xs-uncond 2147483-0.015 1.7  33.09
img512-s    autog-fid       s 2147483-0.070         xs 0134217-0.125        2.1  1.34
img512-s    autog-dino      s 2147483-0.120         xs 0134217-0.165        2.45 36.67
img512-xxl  autog-fid       xxl 0939524-0.075       m 0268435-0.155         2.05 1.25
img512-xxl  autog-dino      xxl 0939524-0.130       m 0268435-0.205         2.3  24.18
img512-s    uncond-autog-fid  s-uncond 2147483-0.070  xs-uncond 0134217-0.110 2.85 3.86
img512-s    uncond-autog-dino s-uncond 2147483-0.090  xs-uncond 0134217-0.125 2.9  90.39
img64-s     autog-fid       s 1073741-0.045         xs 0134217-0.110        1.7  1.01
img64-s     autog-dino      s 1073741-0.105         xs 0134217-0.175        2.2  31.85
`;

function edm2(line: string): readonly [name: string, network: PublishedNetwork] {
  const words = line.split(/\s+/);
  const [set, purpose, size, snapshot] = words as [string, string, string, string];
  const dataset = set.split("-")[0]!;
  const url = (of: string, at: string) => `${EDM2}/edm2-${dataset}-${of}-${at}.pkl`;
  const guided = words.length === 8 ? { gnet: url(words[4]!, words[5]!), guidance: Number(words[6]) } : {};
  const measure = MEASURES[purpose.split("-").at(-1) as keyof typeof MEASURES];
  const makes = dataset === "img64" ? "64x64" : "latents";
  const net = url(size, snapshot);
  return [`edm2-${set}-${purpose}`, { net, ...guided, makes, stated: `${measure} ${words.at(-1)}` }];
}

/** Published networks by name: the presets of the EDM2 reference under its names, and what the NCVSD authors have put out. */
export const published: Readonly<Record<string, PublishedNetwork>> = {
  ...Object.fromEntries(TABLE.trim().split("\n").map(edm2)),
  "ncvsd-ffhq256-xs": { net: `${NCVSD}/ncvsd-ffhq256-xs.pkl`, makes: "faces" },
  "edm2-ffhq256-xs": { net: `${NCVSD}/edm2-ffhq256-xs.pkl`, makes: "faces" },
};

/** A network's file where a name may stand for it: of a published network, "bundled", "bundled-teacher"; anything else as it is. */
export function networkFile(input: CheckpointInput): CheckpointInput {
  if (input === "bundled") return bundledNetwork();
  if (input === "bundled-teacher") return bundledTeacher();
  return typeof input === "string" && Object.hasOwn(published, input) ? published[input]!.net : input;
}

/** The same where only an EDM2 network will do: there "bundled" is the bundled teacher. */
export function teacherFile(input: CheckpointInput): CheckpointInput {
  return input === "bundled" ? bundledTeacher() : networkFile(input);
}
