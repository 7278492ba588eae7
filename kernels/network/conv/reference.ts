export { type ConvParams, reference } from "../../lib/conv-reference.js";
