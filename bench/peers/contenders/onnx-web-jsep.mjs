import { openBuild } from "./onnx-web.mjs";

export const open = () => openBuild("all");
