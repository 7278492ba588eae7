/**
 * A strict JSON reader for headers that come from strangers. It differs from `JSON.parse` where that hides faults:
 * duplicate keys are errors, numbers keep their spelling (`1.0` is no integer, 2^60 is not rounded), lone surrogates are
 * errors, objects are Maps (a key `__proto__` is a key like any other), and depth and number of values are limited.
 */

/** A number as it is spelled in the text. */
export class JsonNumber {
  constructor(readonly text: string) {}

  /** The value of a plain non-negative integer up to 2^53 - 1; undefined for anything else. */
  get index(): number | undefined {
    if (!/^(0|[1-9]\d{0,15})$/.test(this.text)) return undefined;
    const value = Number(this.text);
    return Number.isSafeInteger(value) ? value : undefined;
  }
}

export type JsonValue = null | boolean | JsonNumber | string | JsonValue[] | Map<string, JsonValue>;

/** A header is three levels deep; the rest is room for fields of future versions. The reader recurses, so it needs a bound. */
const MAX_DEPTH = 32;
/** 100,000 tensors of rank 4 need 1.2 million values. A bound, because a 100 MB list of digits would become gigabytes of objects. */
const MAX_VALUES = 2_000_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Reads one JSON value; white space around it is allowed, anything else is not.
 * @throws SyntaxError with the offset of the fault, in words that follow "the header is not valid JSON: ".
 */
export function parseJson(text: string): JsonValue {
  let at = 0;
  let values = 0;

  const fail = (what: string): SyntaxError => new SyntaxError(`${what} at offset ${at}`);

  function space(): void {
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  }

  function string(): string {
    if (text[at] !== '"') throw fail("expected a string");
    const start = at;
    let plain = true;
    for (at++; ; at++) {
      const c = text.charCodeAt(at);
      if (Number.isNaN(c)) throw fail("unterminated string");
      if (c === 0x22) break;
      if (c < 0x20) throw fail("control character in a string");
      if (c === 0x5c) {
        plain = false;
        at++;
      }
    }
    at++;
    if (plain) return text.slice(start + 1, at - 1);
    let value: string;
    try {
      value = JSON.parse(text.slice(start, at));
    } catch {
      at = start;
      throw fail("bad escape in the string");
    }
    if (LONE_SURROGATE.test(value)) {
      at = start;
      throw fail("lone surrogate in the string");
    }
    return value;
  }

  function word<T extends JsonValue>(spelling: string, value: T): T {
    if (!text.startsWith(spelling, at)) throw fail("expected a value");
    at += spelling.length;
    return value;
  }

  function object(depth: number): Map<string, JsonValue> {
    const map = new Map<string, JsonValue>();
    at++;
    space();
    if (text[at] === "}") {
      at++;
      return map;
    }
    for (;;) {
      space();
      const start = at;
      const key = string();
      if (map.has(key)) {
        at = start;
        throw fail(`duplicate key "${key.slice(0, 120)}"`);
      }
      space();
      if (text[at] !== ":") throw fail('expected ":"');
      at++;
      map.set(key, value(depth));
      space();
      const next = text[at];
      if (next !== "," && next !== "}") throw fail('expected "," or "}"');
      at++;
      if (next === "}") return map;
    }
  }

  function array(depth: number): JsonValue[] {
    const list: JsonValue[] = [];
    at++;
    space();
    if (text[at] === "]") {
      at++;
      return list;
    }
    for (;;) {
      list.push(value(depth));
      space();
      const next = text[at];
      if (next !== "," && next !== "]") throw fail('expected "," or "]"');
      at++;
      if (next === "]") return list;
    }
  }

  function value(depth: number): JsonValue {
    if (depth >= MAX_DEPTH) throw fail(`more than ${MAX_DEPTH} levels of nesting`);
    if (++values > MAX_VALUES) throw fail(`more than ${MAX_VALUES} values`);
    space();
    const c = text[at];
    if (c === "{") return object(depth + 1);
    if (c === "[") return array(depth + 1);
    if (c === '"') return string();
    if (c === "t") return word("true", true);
    if (c === "f") return word("false", false);
    if (c === "n") return word("null", null);
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text)?.[0];
    if (number === undefined) throw fail(at >= text.length ? "unexpected end" : "expected a value");
    at += number.length;
    return new JsonNumber(number);
  }

  const result = value(0);
  space();
  if (at < text.length) throw fail("text after the end");
  return result;
}
