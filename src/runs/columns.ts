/** Begins a character that terminals show two columns wide: East Asian scripts, full-width forms, emoji (Unicode's annex 11). */
const WIDE =
  /^(?![\uff61-\uffdc])[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Bopo}\p{sc=Yiii}\u3000-\u303e\uff01-\uffe6]|^\p{Emoji_Presentation}|\ufe0f/u;
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
