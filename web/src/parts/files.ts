/** Files that leave and enter the page. */
import { run } from "../engine/client.js";

export function save(bytes: Uint8Array, name: string, type = "image/png"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A picture as a PNG that says how it was made. */
export async function savePng(
  images: Float32Array,
  text: Readonly<Record<string, string>>,
  name: string,
): Promise<void> {
  save(await run({ kind: "png", images, text }).result, name);
}
