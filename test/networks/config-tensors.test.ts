import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import type { NcvsdConfig, NetworkConfig } from "../../src/networks/edm2/arguments.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { blockPlan, expectedTensors, validateTensors } from "../../src/networks/edm2/names.js";
import {
  edited,
  fixturePath,
  parsedWith as load,
  refusal,
  parsedWithConfig as withConfig,
} from "../support/safetensors-fixture.js";

const EDM2 = fixturePath("edm2-tiny.safetensors");
const NCVSD = fixturePath("ncvsd-tiny.safetensors");

describe("a config that contradicts the tensors is refused with both values", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      "model_channels",
      { model_channels: 32 },
      /model_channels x channel_mult is 32,64,96 in the config, 16,32,48 in the tensors/,
    ],
    ["channel_mult", { channel_mult: [1, 2, 4] }, /channel_mult is 16,32,64 in the config, 16,32,48 in the tensors/],
    ["levels", { channel_mult: [1, 2] }, /channel_mult is 16,32 in the config, 16,32,48 in the tensors/],
    ["num_blocks", { num_blocks: 2 }, /num_blocks is 2 in the config, 1 in the tensors/],
    ["label_dim", { label_dim: 1000 }, /label_dim is 1000 in the config, 10 in the tensors/],
    ["label_dim 0", { label_dim: 0 }, /label_dim is 0 in the config, 10 in the tensors/],
    ["img_channels", { img_channels: 1 }, /img_channels is 1 in the config, 3 in the tensors/],
    ["img_resolution", { img_resolution: 32 }, /img_resolution is 32 in the config, 16 in the tensors/],
    [
      "attn_resolutions",
      { attn_resolutions: [4] },
      /attn_resolutions \[4\].* is at 4 in the config, at 8, 4 in the tensors/,
    ],
    [
      "channels_per_head",
      { channels_per_head: 64 },
      /channels_per_head 64\) is at no resolution in the config, at 8, 4 in the tensors/,
    ],
    ["channel_mult_emb", { channel_mult_emb: 4 }, /channel_mult_emb is 64 in the config, 48 in the tensors/],
    ["logvar_channels", { logvar_channels: 64 }, /logvar_channels is 64 in the config, 128 in the tensors/],
  ])("%s", async (_, change, message) => {
    for (const path of [EDM2, NCVSD]) {
      const text = await refusal(withConfig(path, change));
      expect(text).toMatch(message);
      expect(text).toMatch(/tensor '[\w.]+'/);
    }
  });
});

describe("tensors", () => {
  const change = async (path: string, edit: Parameters<typeof edited>[1]) => {
    const checkpoint = await openCheckpoint(await edited(path, edit));
    const { architecture, config } = parseConfig(checkpoint);
    return (async () => validateTensors(checkpoint, architecture, config))();
  };

  it("every single missing one is named", async () => {
    const names = [...expectedTensors("ncvsd", (await load(NCVSD)).config).keys()];
    for (const gone of names.filter((_, i) => i % 7 === 0).concat("dec.out_gain", "dec.additional_x_weight")) {
      const attempt = change(NCVSD, (file) => {
        file.tensors = file.tensors.filter(({ name }) => name !== gone);
      });
      expect(await refusal(attempt)).toMatch(new RegExp(`tensor '${gone.replaceAll(".", "\\.")}' \\[.*\\] is missing`));
    }
  });

  it("a superfluous one is named", async () => {
    const attempt = change(EDM2, ({ tensors }) => {
      tensors.push({ name: "unet.extra\n", dtype: "F32", shape: [1], data: new Float32Array(1) });
    });
    expect(await refusal(attempt)).toMatch(/tensor 'unet\.extra\\n' is superfluous/);
  });

  it("a misshapen one is named with both shapes, even if it has as many elements", async () => {
    const attempt = change(EDM2, ({ tensors }) => {
      const at = tensors.findIndex(({ name }) => name === "unet.emb_noise.weight");
      tensors[at] = { ...tensors[at]!, shape: [16, 48] };
    });
    expect(await refusal(attempt)).toMatch(
      /'unet\.emb_noise\.weight' has shape \[16, 48\] where its config asks for \[48, 16\]/,
    );
  });

  it("one of integers is named", async () => {
    const attempt = change(EDM2, ({ tensors }) => {
      const at = tensors.findIndex(({ name }) => name === "unet.out_gain");
      tensors[at] = { name: "unet.out_gain", dtype: "I32", shape: [], data: new Int32Array(1) };
    });
    expect(await refusal(attempt)).toMatch(/'unet\.out_gain' is I32, where floats are needed/);
  });

  it("F32, F16, BF16 may be mixed", async () => {
    await change(EDM2, ({ tensors }) => {
      const at = tensors.findIndex(({ name }) => name === "unet.out_gain");
      tensors[at] = { name: "unet.out_gain", dtype: "BF16", shape: [], data: new Uint16Array(1) };
    });
  });
});

describe("the reason that is given", () => {
  it("is the argument at fault, also where the others come from the tensors", async () => {
    const text = await refusal(load(EDM2, (metadata) => Object.assign(metadata, { config: "{}" })));
    expect(text).toMatch(/channels_per_head 64\) is at no resolution in the config, at 8, 4 in the tensors/);
    expect(text).not.toMatch(/num_blocks|channel_mult/);
  });

  it("is the tensor alone where only one is missing", async () => {
    const bytes = await edited(EDM2, (file) => {
      file.tensors = file.tensors.filter(({ name }) => name !== "unet.dec.8x8_block0.attn_qkv.weight");
    });
    const checkpoint = await openCheckpoint(bytes);
    const { architecture, config } = parseConfig(checkpoint);
    expect(await refusal((async () => validateTensors(checkpoint, architecture, config))())).toBe(
      "'(bytes)': tensor 'unet.dec.8x8_block0.attn_qkv.weight' [96, 32, 1, 1] is missing",
    );
  });
});

describe("the block plan", () => {
  it("of the tiny teacher, block by block", async () => {
    const plan = blockPlan((await load(EDM2)).config);
    expect([plan.noiseChannels, plan.embChannels]).toEqual([16, 48]);
    const row = ({ name, mode, inChannels, outChannels, heads }: (typeof plan.encoder | typeof plan.decoder)[number]) =>
      `${name} ${mode} ${inChannels}-${outChannels} h${heads}`;
    expect(plan.encoder.map(row)).toEqual([
      "16x16_conv keep 4-16 h0",
      "16x16_block0 keep 16-16 h0",
      "8x8_down down 16-16 h0",
      "8x8_block0 keep 16-32 h2",
      "4x4_down down 32-32 h0",
      "4x4_block0 keep 32-48 h3",
    ]);
    expect(plan.decoder.map((block) => `${row(block)} skip ${block.skipChannels} #${block.skipIndex}`)).toEqual([
      "4x4_in0 keep 48-48 h3 skip 0 #-1",
      "4x4_in1 keep 48-48 h0 skip 0 #-1",
      "4x4_block0 keep 96-48 h3 skip 48 #5",
      "4x4_block1 keep 80-48 h3 skip 32 #4",
      "8x8_up up 48-48 h0 skip 0 #-1",
      "8x8_block0 keep 80-32 h2 skip 32 #3",
      "8x8_block1 keep 48-32 h2 skip 16 #2",
      "16x16_up up 32-32 h0 skip 0 #-1",
      "16x16_block0 keep 48-16 h0 skip 16 #1",
      "16x16_block1 keep 32-16 h0 skip 16 #0",
    ]);
    for (const block of plan.decoder) expect(block.takesSkip).toBe(block.skipIndex >= 0);
    expect(plan.decoder.map(({ convSkip }) => convSkip)).toEqual([
      false,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      true,
      true,
    ]);
  });

  it("of the published EDM2 networks has their number of parameters", async () => {
    // Karras et al. 2024, table of model sizes XS to XXL, in millions, with 1000 classes.
    const xs: NetworkConfig = {
      ...(await load(EDM2)).config,
      ...{ img_resolution: 64, img_channels: 4, label_dim: 1000, channels_per_head: 64 },
      ...{ channel_mult: [1, 2, 3, 4], num_blocks: 3, attn_resolutions: [16, 8] },
    };
    const millions = [128, 192, 256, 320, 384, 448].map((model_channels) => {
      let parameters = 0;
      for (const shape of expectedTensors("edm2", { ...xs, model_channels }).values()) {
        parameters += shape.reduce((a, b) => a * b, 1);
      }
      return Math.round(parameters / 1e6);
    });
    expect(millions).toEqual([125, 280, 498, 777, 1119, 1523]);
  });

  it("of the generator has one mixing weight per encoder output", async () => {
    const config = (await load(NCVSD)).config as NcvsdConfig;
    expect(expectedTensors("ncvsd", config).get("dec.additional_skips_weight")).toEqual([
      blockPlan(config).encoder.length,
    ]);
  });

  it("the innermost block asks for attention though attn_resolutions does not", async () => {
    const config = { ...(await load(EDM2)).config, attn_resolutions: [] };
    const attending = [...expectedTensors("edm2", config).keys()].filter((name) => name.includes("attn_"));
    expect(attending).toEqual(["unet.dec.4x4_in0.attn_qkv.weight", "unet.dec.4x4_in0.attn_proj.weight"]);
  });

  it("attention that the channels are too few for is none", async () => {
    const config = { ...(await load(EDM2)).config, channels_per_head: 33 };
    expect(blockPlan(config).encoder.map(({ heads }) => heads)).toEqual([0, 0, 0, 0, 0, 1]);
    expect(expectedTensors("edm2", config).has("unet.enc.8x8_block0.attn_qkv.weight")).toBe(false);
  });
});
