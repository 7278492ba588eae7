/** Words of adapters' names that are not as the others: those with a figure in them are in capitals, the rest begin with one. */
const WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    "NVIDIA AMD RTX GTX RX XT XTX GRE SUPER TITAN NVL GPU HD UHD LLVM RADV NVK GeForce SwiftShader PCIe llvmpipe bits"
      .split(" ")
      .map((word) => [word.toLowerCase(), word]),
  ),
  r: "(R)",
  tm: "(TM)",
};

/**
 * An adapter's name for people, "NVIDIA H100 PCIe", "llvmpipe (LLVM 15.0.6, 256 bits)", of the one that WebGPU tells: small letters with
 * hyphens for all else ("nvidia-h100-pcie"). A name in any other form is left as it is. The driver's own is told nowhere but in a list of
 * all adapters, which would have to be discovered a second time.
 */
export function readableName(device: string): string {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*-?$/.test(device)) return device;
  const words = device.split("-").filter(Boolean);
  const line = words
    .map((word) => WORDS[word] ?? (/\d/.test(word) ? word.toUpperCase() : word[0]!.toUpperCase() + word.slice(1)))
    .join(" ")
    .replaceAll(/ (\((R|TM)\))/g, "$1")
    .replace(/LLVM (\d+) (\d+) (\d+)/, "LLVM $1.$2.$3")
    .replace(/ (\d+ bits)/, ", $1");
  // A closing bracket is all that a name ends with and that has become a hyphen.
  return device.endsWith("-") ? line.replace(/ ((LLVM|RADV|NVK) .*|\S+)$/, " ($1)") : line;
}
