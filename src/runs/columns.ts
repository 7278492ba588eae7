/** Begins a character that terminals show two columns wide: what Unicode's annex 11 has as wide or full-width, and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}|\ufe0f/u;
const ASCII = /^[ -~]*$/;
const characters = new Intl.Segmenter();

function widthOf(character: string): number {
  if (/^[\p{M}\p{Cf}]+$/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Columns that a terminal takes for a line. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  return Array.from(characters.segment(text)).reduce((sum, { segment }) => sum + widthOf(segment), 0);
}

/** Cut in the middle to so many columns, with so many of its last: the names of nodes differ at both ends. */
export function shortened(text: string, width: number, tail = width >> 1): string {
  if (columnsOf(text) <= width) return text;
  const all = Array.from(characters.segment(text), ({ segment }) => segment);
  return `${fitting(all, width - tail - 1).join("")}…${fitting(all.reverse(), tail).reverse().join("")}`;
}

/** The first characters, as many as so many columns hold. */
function fitting(all: readonly string[], columns: number): string[] {
  const fit: string[] = [];
  let left = columns;
  for (const character of all) {
    left -= widthOf(character);
    if (left < 0) break;
    fit.push(character);
  }
  return fit;
}
