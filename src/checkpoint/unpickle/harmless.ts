/**
 * What common Python programs leave beside a network and what is pure data: classes of the standard library, and the few
 * functions by which their values are written. All are kept as inert records; nothing of Python exists here to be called.
 */

/** Modules all of whose classes are data. */
const DATA_MODULES = new Set(
  `_collections _datetime _decimal _pydatetime _pydecimal collections collections.abc datetime decimal enum fractions
  ipaddress numbers pathlib pathlib._abc pathlib._local random _random re._constants uuid zoneinfo zoneinfo._common
  zoneinfo._zoneinfo`
    .trim()
    .split(/\s+/),
);

/** Single names of modules that hold more than data, by module. */
const DATA_NAMES: Readonly<Record<string, string>> = {
  _io: "BytesIO StringIO",
  _operator: "getitem itemgetter",
  argparse: "Action ArgumentParser BooleanOptionalAction Namespace",
  array: "_array_reconstructor array",
  builtins: `BaseException Exception complex ellipsis enumerate float int bool str iter list object range reversed slice tuple zip`,
  calendar: "Day Month",
  configparser:
    "BasicInterpolation ConfigParser ConverterMapping ExtendedInterpolation LegacyInterpolation RawConfigParser SectionProxy",
  dataclasses: "Field _DataclassParams _FIELD_BASE _HAS_DEFAULT_FACTORY_CLASS _KW_ONLY_TYPE _MISSING_TYPE",
  functools: "partial partialmethod",
  http: "HTTPMethod HTTPStatus",
  inspect: "BoundArguments Parameter Signature _ParameterKind _empty",
  io: "BytesIO StringIO",
  itertools: "accumulate chain count cycle islice product repeat",
  "json.decoder": "JSONDecoder",
  "json.encoder": "JSONEncoder",
  logging: "Filter Formatter Logger LogRecord PercentStyle RootLogger StrFormatStyle getLogger",
  nt: "stat_result terminal_size times_result",
  operator: "getitem itemgetter",
  os: "stat_result terminal_size times_result uname_result",
  platform: "uname_result",
  posix: "stat_result terminal_size times_result uname_result",
  re: "RegexFlag _compile",
  signal: "Handlers Sigmasks Signals",
  socket: "AddressFamily SocketKind",
  sre_compile: "_compile",
  statistics: "NormalDist",
  string: "Formatter Template",
  time: "struct_time",
  types: "GenericAlias NoneType EllipsisType SimpleNamespace UnionType",
  typing: `Annotated Any Callable ForwardRef Generic Literal NewType Optional ParamSpec TypeAliasType TypeVar Union
    _AnnotatedAlias _CallableType _GenericAlias _LiteralGenericAlias _SpecialForm _SpecialGenericAlias _TupleType
    _UnionGenericAlias _UnpackGenericAlias`,
  "urllib.parse": "DefragResult ParseResult SplitResult",
};

const NAMES = new Set(
  Object.entries(DATA_NAMES).flatMap(([module, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => `${module}.${name}`),
  ),
);

/** True if the class or function `module.name` makes data and nothing else. */
export function isHarmless(module: string, name: string): boolean {
  // A dotted name: a class inside a class, a member of an enumeration, or the method that a class is written by.
  const [first] = name.split(".", 1) as [string];
  if (first.startsWith("__")) return false;
  if (name !== first && !/^_?[A-Z]\w*\.(_unpickle|[A-Z]\w*)$/.test(name)) return false;
  // Only classes: what modules of data import from elsewhere has small letters or one underscore.
  if (DATA_MODULES.has(module)) return /^_?[A-Z]|^(_isoformat|_reconstruct)/.test(first) || DATA_CLASSES.has(first);
  return NAMES.has(`${module}.${first}`) || (module === "builtins" && /^[A-Z]\w*(Error|Warning|Exception)$/.test(name));
}

/** Classes with small letters in `DATA_MODULES`. */
const DATA_CLASSES = new Set("date datetime time timedelta timezone tzinfo deque defaultdict auto".split(" "));

/** Modules whose functions run programs or code, and such builtins: whoever puts those into a file means harm. */
const RUNS_CODE = new Set(
  "asyncio code commands ctypes importlib marshal nt os pickle pkgutil popen2 posix pty runpy shutil socket subprocess sys webbrowser _pickle cPickle _posixsubprocess".split(
    " ",
  ),
);

/** True if a call of this name could run a program or code in Python. */
export function runsCode(module: string, name: string): boolean {
  const parts = [module.split(".", 1)[0]!, ...name.split(".").slice(0, -1)];
  return parts.some((part) => RUNS_CODE.has(part)) || /^(eval|exec|execfile|compile|__import__|open)$/.test(name);
}
