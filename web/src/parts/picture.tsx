import magma from "virtual:magma";
import { useLayoutEffect, useRef } from "preact/hooks";
import { SIDE } from "../engine/protocol.js";

/** What numbers look like: grey from -1 to 1, or a perceptual map from 0 to 1. */
export type Look = "grey" | "heat";

/** Colours of the map from 0 to 1, for a scale. */
export const heatGradient = `linear-gradient(to right, ${[0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => `rgb(${magma[i]})`).join(", ")})`;

export function toPixels(
  values: ArrayLike<number>,
  width: number,
  height: number,
  look: Look,
  channels = 1,
): ImageData {
  const image = new ImageData(width, height);
  const size = width * height;
  if (channels === 3) {
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = (values[c * size + i]! + 1) * 127.5;
      image.data[4 * i + 3] = 255;
    }
    return image;
  }
  for (let i = 0; i < width * height; i++) {
    const v = values[i]!;
    const level = Math.round(Math.min(1, Math.max(0, look === "grey" ? (v + 1) / 2 : v)) * 255);
    const [r, g, b] = look === "grey" ? [level, level, level] : magma[level]!;
    image.data.set([r, g, b, 255], 4 * i);
  }
  return image;
}

export interface PictureProps {
  readonly values: ArrayLike<number> | undefined;
  /** For those who do not see it; empty: it shows nothing that is not said beside it. */
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
  readonly look?: Look;
  /** 1: grey, 3: colours. */
  readonly channels?: number;
}

/** One picture, its pixels as squares; an empty frame where there are no values yet. */
export function Picture({ values, label, width = SIDE, height = SIDE, look = "grey", channels = 1 }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    if (values) context.putImageData(toPixels(values, width, height, look, channels), 0, 0);
    else context.clearRect(0, 0, width, height);
  }, [values, width, height, look, channels]);
  const said = label === "" ? { "aria-hidden": true } : { role: "img" as const, "aria-label": label };
  return <canvas ref={canvas} class="picture" width={width} height={height} {...said} />;
}
