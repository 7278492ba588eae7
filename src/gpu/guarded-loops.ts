/**
 * Which loops of a WGSL text Tint guards: it adds a 64-bit counter, a test of it and a second exit to every loop whose end it cannot
 * see, and a driver can neither unroll such a loop nor overlap its loads. It sees the end of
 *
 *   for (var i = ANYTHING; i < CONSTANT; i++)
 *
 * with any of <, <=, >, >= and a step of one up or down, whatever leaves the loop early; of nothing else (`i += 4u`, `while`, a `let`
 * as the bound). So a loop over n things is `for (var i = 0u; i < MANY; i++) { if (i >= n) { break; } ... }`. A test compares what is said here with the SPIR-V that Tint makes.
 */

export interface GuardedLoop {
  /** Line of the text, from 1. */
  readonly line: number;
  /** The loop's head as written. */
  readonly head: string;
}

interface Token {
  readonly text: string;
  readonly line: number;
}

function tokens(source: string): Token[] {
  // Comments give way to as many lines.
  const text = source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""));
  const found: Token[] = [];
  let line = 1;
  for (const [word] of text.matchAll(
    /\n|[A-Za-z_]\w*|\d[\w.]*(?:[eE][-+]?\d+\w*)?|\+\+|--|[-+*/%&|^<>=!]=|<<|>>|->|&&|\|\||[^\s\w]/g,
  )) {
    if (word === "\n") line++;
    else found.push({ text: word, line });
  }
  return found;
}

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "{": "}", "[": "]" };

/** Index of the bracket that closes the one at `open`. */
function closing(list: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < list.length; i++) {
    if (list[i]!.text in CLOSING) depth++;
    else if (Object.values(CLOSING).includes(list[i]!.text) && --depth === 0) return i;
  }
  return list.length - 1;
}

const isNumber = (text: string) => /^\d/.test(text);
const isName = (text: string) => /^[A-Za-z_]/.test(text);

/** Names of constants, overrides among them: their values are there when Tint analyses. */
function constantsOf(list: readonly Token[]): Set<string> {
  return new Set(list.flatMap(({ text }, i) => (/^(const|override)$/.test(text) ? [list[i + 1]!.text] : [])));
}

const OPERATORS = ["+", "-", "*", "/", "%", "<<", ">>", "(", ")"];

function isConstant(expression: readonly string[], constants: ReadonlySet<string>): boolean {
  const known = (text: string) =>
    isNumber(text) || OPERATORS.includes(text) || constants.has(text) || text === "u32" || text === "i32";
  return expression.length > 0 && expression.every(known);
}

/** Whether Tint sees the end of `for (head)`. */
function endIsSeen(head: readonly string[], constants: ReadonlySet<string>): boolean {
  const first = head.indexOf(";");
  const second = head.indexOf(";", first + 1);
  const [begin, test, step] = [head.slice(0, first), head.slice(first + 1, second), head.slice(second + 1)];
  const name = begin[1];
  if (begin[0] !== "var" || name === undefined) return false;
  if (test[0] !== name || !["<", "<=", ">", ">="].includes(test[1]!)) return false;
  if (!isConstant(test.slice(2), constants)) return false;
  const one = /^1u?i?$/;
  const short = step.length === 2 && step[0] === name && (step[1] === "++" || step[1] === "--");
  const added = step.length === 3 && step[0] === name && /^[-+]=$/.test(step[1]!) && one.test(step[2]!);
  const long =
    step.length === 5 && step[0] === name && step[2] === name && /^[-+]$/.test(step[3]!) && one.test(step[4]!);
  return short || added || long;
}

/** Functions and the tokens of their bodies, by name. */
function functionsOf(list: readonly Token[]): Map<string, readonly Token[]> {
  const bodies = new Map<string, readonly Token[]>();
  list.forEach(({ text }, i) => {
    if (text !== "fn") return;
    let open = closing(list, i + 2);
    while (list[open]!.text !== "{") open++;
    bodies.set(list[i + 1]!.text, list.slice(open, closing(list, open) + 1));
  });
  return bodies;
}

/** Loops that Tint guards, of all functions that `main` reaches: others are not compiled. */
export function guardedLoops(source: string): GuardedLoop[] {
  const list = tokens(source);
  const constants = constantsOf(list);
  const bodies = functionsOf(list);
  const reached = new Set<string>();
  const reach = (name: string) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const { text } of bodies.get(name) ?? []) if (isName(text) && bodies.has(text)) reach(text);
  };
  reach("main");
  const found: GuardedLoop[] = [];
  for (const name of reached) {
    const body = bodies.get(name) ?? [];
    body.forEach(({ text, line }, i) => {
      if (text === "loop") found.push({ line, head: "loop" });
      if (text !== "for" && text !== "while") return;
      const head = body.slice(i + 2, closing(body, i + 1)).map((token) => token.text);
      if (text === "while" || !endIsSeen(head, constants)) found.push({ line, head: `${text} (${head.join(" ")})` });
    });
  }
  return found.sort((a, b) => a.line - b.line);
}
