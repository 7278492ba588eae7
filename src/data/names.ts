/** Names that Windows keeps for devices, whatever their ending. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
/** Names of the files that a folder of results has of its own. */
const TAKEN = /^(overview\.png|metrics\.json|metrics\.md|run\.json)$/i;

/** Why a name that came from a file cannot name a folder of results on every system, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "is empty";
  if (/^\.+$/.test(name)) return "leads to another folder";
  if (/[/\\]/.test(name)) return "leads into another folder";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "has control characters";
  if (process.platform === "win32" && /[<>:"|?*]/.test(name)) return "has characters that Windows does not take";
  if (/[. ]$/.test(name)) return "ends with a dot or a space";
  if (DEVICE.test(name)) return "is a device on Windows";
  if (TAKEN.test(name)) return "is that of a file of the results";
  if (new TextEncoder().encode(name).length > 200) return "is too long";
  return undefined;
}

/** One text for names that some file systems don't tell apart: case and Unicode form. */
export const foldedName = (name: string): string => name.normalize("NFC").toLowerCase();
