import { ATTRIBUTE, FLOAT, INT64, Model } from "./schema.mjs";

const OPSET = 17;
const CONTRIB = "com.microsoft";

/** An ONNX model under construction: inputs and weights in, nodes one by one, bytes out. Values are known by name. */
export class ModelBuilder {
  #graph = { name: "graph", node: [], initializer: [], input: [], output: [] };

  /** @param {string} name @param {readonly number[]} shape */
  input(name, shape) {
    this.#graph.input.push(valueInfo(name, shape));
    return name;
  }

  /** @param {string} value @param {readonly number[]} shape */
  output(value, shape) {
    this.#graph.output.push(valueInfo(value, shape));
  }

  /** @param {ArrayLike<number>} values @param {readonly number[]} shape */
  constant(values, shape) {
    const data = Float32Array.from(values);
    return this.#initializer(FLOAT, shape, new Uint8Array(data.buffer));
  }

  /** Shapes, axes and the like. @param {readonly number[]} values */
  integers(values) {
    const data = BigInt64Array.from(values, BigInt);
    return this.#initializer(INT64, [values.length], new Uint8Array(data.buffer));
  }

  /**
   * Appends a node of one output. Attributes: whole numbers are INT (write `{ float: 1 }` for FLOAT), strings STRING, lists INTS.
   * @param {string} op @param {readonly string[]} inputs @param {Record<string, unknown>} attributes
   */
  node(op, inputs, attributes = {}) {
    return this.nodes(op, inputs, attributes, 1)[0];
  }

  /** As `node`, of several outputs. */
  nodes(op, inputs, attributes, outputs, domain = "") {
    const index = this.#graph.node.length;
    const names = Array.from({ length: outputs }, (_, i) => `v${index}${outputs > 1 ? `_${i}` : ""}`);
    const attribute = Object.entries(attributes).map(([name, value]) => ({ name, ...encodeAttribute(value) }));
    this.#graph.node.push({ name: `n${index}`, op_type: op, input: [...inputs], output: names, attribute, domain });
    return names;
  }

  /** A node of ONNX Runtime's own operators. */
  contrib(op, inputs, attributes = {}) {
    return this.nodes(op, inputs, attributes, 1, CONTRIB)[0];
  }

  /** The model as a file's bytes. */
  finish() {
    const opsets = [
      { domain: "", version: OPSET },
      { domain: CONTRIB, version: 1 },
    ];
    const model = { ir_version: 8, producer_name: "ncvsd-gpu", graph: this.#graph, opset_import: opsets };
    return Model.encode(Model.create(model)).finish();
  }

  #initializer(type, shape, bytes) {
    const name = `c${this.#graph.initializer.length}`;
    this.#graph.initializer.push({ name, data_type: type, dims: [...shape], raw_data: bytes });
    return name;
  }
}

function valueInfo(name, shape) {
  const dim = shape.map((extent) => ({ dim_value: extent }));
  return { name, type: { tensor_type: { elem_type: FLOAT, shape: { dim } } } };
}

function encodeAttribute(value) {
  if (typeof value === "number") return { i: value, type: ATTRIBUTE.INT };
  if (typeof value === "string") return { s: new TextEncoder().encode(value), type: ATTRIBUTE.STRING };
  if (Array.isArray(value)) return { ints: value, type: ATTRIBUTE.INTS };
  return { f: value.float, type: ATTRIBUTE.FLOAT };
}
