import { interpolateMagma } from "d3-scale-chromatic";
import { useLayoutEffect, useRef } from "preact/hooks";
import { SIDE } from "../engine/protocol.js";

/** What numbers look like: grey from -1 to 1, or a perceptual map from 0 to 1. */
export type Look = "grey" | "heat";

const HEAT = Array.from({ length: 256 }, (_, i) => {
  const text = interpolateMagma(i / 255);
  const [r, g, b] = text.startsWith("#")
    ? [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16))
    : text.match(/\d+/g)!.map(Number);
  return [r!, g!, b!] as const;
});

/** Colours of the map from 0 to 1, for a scale. */
export const heatGradient = `linear-gradient(to right, ${[0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1].map((t) => interpolateMagma(t)).join(", ")})`;

export function toPixels(values: ArrayLike<number>, width: number, height: number, look: Look): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const v = values[i]!;
    const level = Math.round(Math.min(1, Math.max(0, look === "grey" ? (v + 1) / 2 : v)) * 255);
    const [r, g, b] = look === "grey" ? [level, level, level] : HEAT[level]!;
    image.data.set([r, g, b, 255], 4 * i);
  }
  return image;
}

export interface PictureProps {
  readonly values: ArrayLike<number> | undefined;
  /** For those who do not see it. */
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
  readonly look?: Look;
}

/** One picture, its pixels as squares; an empty frame where there are no values yet. */
export function Picture({ values, label, width = SIDE, height = SIDE, look = "grey" }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    if (values) context.putImageData(toPixels(values, width, height, look), 0, 0);
    else context.clearRect(0, 0, width, height);
  }, [values, width, height, look]);
  return <canvas ref={canvas} class="picture" width={width} height={height} role="img" aria-label={label} />;
}
