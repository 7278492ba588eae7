import { drawText, GLYPH_HEIGHT, textWidth } from "./font.js";
import { type RawImage, toRgb } from "./pixels.js";

export type Colour = readonly [r: number, g: number, b: number];

/** Where a line of text lies relative to its x. */
export type Align = "left" | "center" | "right";

/** A white RGB picture to draw on. Whatever falls outside is cut off. */
export class Canvas {
  readonly image: RawImage;

  constructor(width: number, height: number) {
    this.image = { width, height, channels: 3, data: new Uint8Array(width * height * 3).fill(255) };
  }

  fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    const right = Math.min(x + width, this.image.width);
    const bottom = Math.min(y + height, this.image.height);
    for (let row = Math.max(y, 0); row < bottom; row++) {
      for (let column = Math.max(x, 0); column < right; column++) {
        this.image.data.set(colour, (row * this.image.width + column) * 3);
      }
    }
  }

  /** Draws a picture, every pixel of it as a square of `scale` pixels. */
  draw(picture: RawImage, x: number, y: number, scale: number): void {
    const rgb = toRgb(picture);
    for (let row = 0; row < rgb.height; row++) {
      for (let column = 0; column < rgb.width; column++) {
        const at = (row * rgb.width + column) * 3;
        const colour: Colour = [rgb.data[at]!, rgb.data[at + 1]!, rgb.data[at + 2]!];
        this.fill(x + column * scale, y + row * scale, scale, scale, colour);
      }
    }
  }

  /** Writes one line of text, its first row at y. */
  text(line: string, x: number, y: number, size: TextSize, colour: Colour, align: Align = "left"): void {
    const width = textWidth(line) * size;
    const left = Math.round(align === "left" ? x : align === "right" ? x - width : x - width / 2);
    const points = new Set<number>();
    drawText(line, (px, py) => points.add(px * GLYPH_HEIGHT + py));
    const inked = (px: number, py: number) => py >= 0 && py < GLYPH_HEIGHT && points.has(px * GLYPH_HEIGHT + py);
    for (let px = 0; px < width / size; px++) {
      for (let py = 0; py < GLYPH_HEIGHT; py++) {
        if (size === 1) {
          if (inked(px, py)) this.fill(left + px, y + py, 1, 1, colour);
        } else {
          const corners = doubled(inked, px, py);
          corners.forEach((on, k) => {
            if (on) this.fill(left + px * 2 + (k & 1), y + py * 2 + (k >> 1), 1, 1, colour);
          });
        }
      }
    }
  }
}

/** 1 draws the font as it is, 2 doubles it with rounded diagonals. */
export type TextSize = 1 | 2;

/**
 * A point of a bitmap as two by two points (top left, top right, bottom left, bottom right): an empty point between two
 * inked ones that touch only at their corners gets the quarter between them, which turns stairs into diagonals and keeps
 * square corners square.
 */
function doubled(inked: (x: number, y: number) => boolean, x: number, y: number): boolean[] {
  const self = inked(x, y);
  const stair = (dx: number, dy: number) => inked(x + dx, y) && inked(x, y + dy) && !inked(x + dx, y + dy);
  return [self || stair(-1, -1), self || stair(1, -1), self || stair(-1, 1), self || stair(1, 1)];
}
