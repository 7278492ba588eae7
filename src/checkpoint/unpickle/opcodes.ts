/** The opcodes that picklers of protocols 2 to 5 write, and nothing else. */
export const OP = {
  MARK: 0x28, // (
  EMPTY_TUPLE: 0x29, // )
  STOP: 0x2e, // .
  POP: 0x30, // 0
  POP_MARK: 0x31, // 1
  BINBYTES: 0x42, // B
  SHORT_BINBYTES: 0x43, // C
  BINFLOAT: 0x47, // G
  BININT: 0x4a, // J
  BININT1: 0x4b, // K
  BININT2: 0x4d, // M
  NONE: 0x4e, // N
  BINPERSID: 0x51, // Q
  REDUCE: 0x52, // R
  BINSTRING: 0x54, // T
  SHORT_BINSTRING: 0x55, // U
  BINUNICODE: 0x58, // X
  EMPTY_LIST: 0x5d, // ]
  APPEND: 0x61, // a
  BUILD: 0x62, // b
  GLOBAL: 0x63, // c
  APPENDS: 0x65, // e
  BINGET: 0x68, // h
  LONG_BINGET: 0x6a, // j
  BINPUT: 0x71, // q
  LONG_BINPUT: 0x72, // r
  SETITEM: 0x73, // s
  TUPLE: 0x74, // t
  SETITEMS: 0x75, // u
  EMPTY_DICT: 0x7d, // }
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  NEWOBJ_EX: 0x92,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
  BYTEARRAY8: 0x96,
} as const;

/** Opcodes that exist and are refused, by name, so that the error can say what was met. */
const REFUSED: Record<number, string> = {
  50: "DUP (protocol 0)",
  70: "FLOAT (protocol 0)",
  73: "INT (protocol 0)",
  76: "LONG (protocol 0)",
  80: "PERSID (protocol 0)",
  83: "STRING (protocol 0)",
  86: "UNICODE (protocol 0)",
  100: "DICT (protocol 0)",
  103: "GET (protocol 0)",
  105: "INST (protocol 0)",
  108: "LIST (protocol 0)",
  111: "OBJ (protocol 1)",
  112: "PUT (protocol 0)",
  128: "PROTO in the middle of a pickle",
  130: "EXT1 (extension registry)",
  131: "EXT2 (extension registry)",
  132: "EXT4 (extension registry)",
  151: "NEXT_BUFFER (out-of-band data)",
  152: "READONLY_BUFFER (out-of-band data)",
};

/** Why an opcode outside the allow-list is refused. */
export function refusal(opcode: number): string {
  const name = REFUSED[opcode];
  const hex = `0x${opcode.toString(16).padStart(2, "0")}`;
  return name ? `the opcode ${name} is refused` : `${hex} is no pickle opcode`;
}
