import { LIMITS, PickleError } from "./limits.js";
import { PyGlobal, PyStorage, PyStorageBlob, PyTensor, PyTuple, type PyValue, type TorchDtype } from "./values.js";

/** Element types by the storage classes of torch (`HalfStorage`) and by its dtypes (`float16`). */
const TORCH_DTYPES: Record<string, TorchDtype> = {
  Half: "F16",
  float16: "F16",
  BFloat16: "BF16",
  bfloat16: "BF16",
  Float: "F32",
  float32: "F32",
  Double: "F64",
  float64: "F64",
  Long: "I64",
  int64: "I64",
  Int: "I32",
  int32: "I32",
  Short: "I16",
  int16: "I16",
  Char: "I8",
  int8: "I8",
  Byte: "U8",
  uint8: "U8",
  Untyped: "U8",
  Bool: "BOOL",
  bool: "BOOL",
};

/** The element type that a global of torch stands for: a storage class or a dtype. */
function torchDtype(value: PyValue | undefined): TorchDtype {
  const torch = value instanceof PyGlobal && /^torch(\.|$)/.test(value.module);
  const name = torch ? value.name.replace(/Storage$/, "") : "";
  if (!Object.hasOwn(TORCH_DTYPES, name)) throw new PickleError("a storage has an unknown element type");
  return TORCH_DTYPES[name]!;
}

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)`; what follows concerns training only. */
export function rebuildTensorV2(args: readonly PyValue[]): PyTensor {
  return tensorOf(args, undefined);
}

/** `_rebuild_tensor_v3(untyped storage, offset, size, stride, requires_grad, hooks, dtype, ...)`. */
export function rebuildTensorV3(args: readonly PyValue[]): PyTensor {
  return tensorOf(args, torchDtype(args[6]));
}

/** `torch._tensor._rebuild_from_type_v2(function, type, args, state)`: a tensor with Python attributes around it. */
export function rebuildFromType(
  [callee, , args]: readonly PyValue[],
  reduce: (callee: PyValue, args: PyValue) => PyValue | Promise<PyValue>,
): PyTensor {
  const tensor =
    callee instanceof PyGlobal && callee.module === "torch._utils" ? reduce(callee, args ?? null) : undefined;
  if (!(tensor instanceof PyTensor)) throw new PickleError("a tensor is made in an unknown way");
  return tensor;
}

function tensorOf([storage, offset, size, stride]: readonly PyValue[], dtype: TorchDtype | undefined): PyTensor {
  if (!(storage instanceof PyStorageBlob || storage instanceof PyStorage)) {
    throw new PickleError("a tensor has no storage");
  }
  const sizes = lengths(size);
  const strides = lengths(stride);
  if (!sizes || !strides || sizes.length !== strides.length || !isLength(offset)) {
    throw new PickleError("the offset, size and stride of a tensor are not numbers that fit together");
  }
  return new PyTensor(storage, dtype, offset, sizes, strides);
}

/** A persistent id of torch: ("storage", class, key, location, elements), in the legacy container also a view. */
export function storageId(id: PyValue): { storage: PyStorage; key: string; view: PyValue } {
  const items = id instanceof PyTuple ? id.items : [];
  const [tag, type, key, , elements, view] = items;
  if (tag !== "storage") throw new PickleError("a persistent id is not that of a storage");
  if (typeof key !== "string" || !isLength(elements)) {
    throw new PickleError("the persistent id of a storage has no key or no length");
  }
  return { storage: new PyStorage(torchDtype(type), elements, undefined), key, view: view ?? null };
}

function lengths(value: PyValue | undefined): readonly number[] | undefined {
  const items = value instanceof PyTuple ? value.items : undefined;
  return items && items.length <= LIMITS.dimensions && items.every(isLength) ? items : undefined;
}

function isLength(value: PyValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
