import type { ByteSource } from "../byte-source.js";
import { resolveStorage } from "../torch-storage.js";
import { type Budget, CHUNK_BYTES, LIMITS, PickleError } from "./limits.js";
import { readExactly } from "./sources.js";
import { DTYPE_BYTES, type PyTensor, type TorchDtype } from "./values.js";

/** A tensor whose elements have been located and checked to exist. */
export interface LocatedTensor {
  readonly dtype: TorchDtype;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly source: ByteSource;
  /** Byte offset in `source` of the element at index 0, 0, ...; strides count elements. */
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Finds the storage of a tensor and checks that every element of the view lies inside it.
 * @throws PickleError if it does not, or if the view is spread too widely to be gathered in bounded memory.
 */
export async function locateTensor(tensor: PyTensor, budget: Budget): Promise<LocatedTensor> {
  const storage = await resolveStorage(tensor.storage, budget);
  if (!storage.data) throw new PickleError("its storage has no data in the file");
  const dtype = tensor.dtype ?? storage.dtype;
  if (dtype !== storage.dtype && storage.dtype !== "U8") throw new PickleError("its type is not that of its storage");
  const width = DTYPE_BYTES[dtype];
  const available = Math.floor((storage.elements * DTYPE_BYTES[storage.dtype]) / width);

  const elements = tensor.size.reduce((product, extent) => product * extent, 1);
  const last = tensor.size.reduce((at, extent, axis) => at + (extent - 1) * tensor.stride[axis]!, tensor.offset);
  // The comparisons are written so that NaN and infinities fail them.
  if (elements !== 0 && !(last < available)) {
    throw new PickleError(`it reaches element ${last} of a storage of ${available} elements`);
  }
  if (!Number.isSafeInteger(elements)) throw new PickleError("it has more elements than can be counted");
  if (elements !== 0 && (last - tensor.offset + 1 - elements) * width > LIMITS.viewSlackBytes) {
    throw new PickleError("it is a view spread over too much of its storage: make it contiguous before saving");
  }
  return {
    dtype,
    shape: tensor.size,
    elements,
    source: storage.data.source,
    offset: storage.data.offset + tensor.offset * width,
    strides: tensor.stride,
  };
}

/**
 * The elements of a tensor, row-major and little-endian, in pieces of at most `CHUNK_BYTES`. A contiguous tensor is read
 * piece by piece; for any other layout the part of the storage that it spans is held in memory.
 */
export async function* tensorChunks(tensor: LocatedTensor): AsyncGenerator<Uint8Array> {
  const { source, offset, elements, shape, strides } = tensor;
  const width = DTYPE_BYTES[tensor.dtype];
  if (elements === 0) return;
  const perChunk = Math.floor(CHUNK_BYTES / width);
  if (isContiguous(shape, strides)) {
    for (let at = 0; at < elements; at += perChunk) {
      yield await readExactly(source, offset + at * width, Math.min(perChunk, elements - at) * width);
    }
    return;
  }
  const last = shape.reduce((at, extent, axis) => at + (extent - 1) * strides[axis]!, 0);
  const span = await readExactly(source, offset, (last + 1) * width);
  const index = new Array<number>(shape.length).fill(0);
  let element = 0;
  for (let at = 0; at < elements; at += perChunk) {
    const out = new Uint8Array(Math.min(perChunk, elements - at) * width);
    for (let to = 0; to < out.length; to += width) {
      const from = element * width;
      for (let byte = 0; byte < width; byte++) out[to + byte] = span[from + byte]!;
      // Advance the index by one, last axis first, and the element with it.
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        element += strides[axis]!;
        if (++index[axis]! < shape[axis]!) break;
        element -= shape[axis]! * strides[axis]!;
        index[axis] = 0;
      }
    }
    yield out;
  }
}

/** True if the elements lie one after the other in row-major order. The stride of an axis of length 1 means nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}
