import type { RawImage } from "../image/pixels.js";
import type { Label } from "./dataset-labels.js";

/** A picture on its way into a data set. */
export interface SourcePicture {
  /** What to call it in a message: the file, or which one of a file. */
  readonly where: string;
  readonly label: Label | undefined;
  image(): RawImage | Promise<RawImage>;
}

/** What a data set is made of. */
export interface PictureSource {
  /** In words: "folder", "IDX". */
  readonly kind: string;
  readonly count: number;
  /** Names of the classes, where there are some. */
  readonly classes: readonly string[] | undefined;
  /** What was passed over, in a sentence. */
  readonly left: string | undefined;
  /** All pictures, one after the other; can be asked for once. */
  pictures(): AsyncIterable<SourcePicture>;
  close(): Promise<void>;
}
