import { bad } from "../../errors.js";
import { operators } from "../operators.js";
import { tikhonov } from "../simple.js";
import { CG_FLAGS, conjugate, OWN_PRESET, scaled } from "./common.js";
import { task } from "./task.js";

/** Any matrix, from a file. */
export const matrix = task({
  preset: OWN_PRESET,
  baselines: tikhonov,
  scale: "linear",
  flags: {
    matrix: {
      option: "--matrix <file>",
      help: "matrix: rows x C H W values, or rows x H W for every channel alike (.npy, .safetensors)",
      value: { file: "array" },
    },
    ...CG_FLAGS,
  },
  make(gpu, shape, options) {
    const file = options.matrix;
    if (!file) throw bad("--task matrix needs --matrix: a file with rows x C H W values");
    const [c, h, w] = shape;
    const [rows = 0, columns = 0] = file.shape;
    if (file.shape.length !== 2 || (columns !== c * h * w && columns !== h * w))
      throw bad(
        `--matrix ${file.name} is [${file.shape.join(", ")}], but must be [rows, ${c * h * w}] for images of ${w}x${h}`,
      );
    const perChannel = columns !== c * h * w;
    const { solver, record } = conjugate(options);
    const side = Math.ceil(Math.sqrt(rows));
    return {
      operator: operators.matrix(gpu, { shape, matrix: file.values, rows, perChannel, ...solver }),
      show: (y) =>
        scaled(
          Float32Array.from({ length: side * side }, (_, i) => y[i] ?? 0),
          [1, side, side],
        ),
      description: `the matrix ${file.name}, ${rows} rows${perChannel ? " for every channel" : ""}`,
      options: { matrix: file.sha256, ...record },
    };
  },
});
