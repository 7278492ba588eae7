import { describe, expect, it } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import type { Architecture, NetworkConfig } from "../../src/networks/edm2/arguments.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { blockPlan, expectedTensors, validateTensors } from "../../src/networks/edm2/names.js";
import {
  edited,
  fixturePath,
  parsedWith as load,
  refusal,
  weightsPath,
  parsedWithConfig as withConfig,
  zeros,
} from "../support/safetensors-fixture.js";

const FILES = [
  fixturePath("edm2-tiny.safetensors"),
  fixturePath("edm2-tiny-uncond.safetensors"),
  fixturePath("ncvsd-tiny.safetensors"),
  weightsPath("edm2-fashion32.safetensors"),
  weightsPath("ncvsd-fashion32.safetensors"),
] as const;
const EDM2 = FILES[0];
const NCVSD = FILES[2];
const FASHION = FILES[4];

const REFERENCE_DEFAULTS = {
  channel_mult_noise: null,
  channel_mult_emb: null,
  label_balance: 0.5,
  concat_balance: 0.5,
  resample_filter: [1, 1],
  res_balance: 0.3,
  attn_balance: 0.3,
  clip_act: 256,
  sigma_data: 0.5,
  logvar_channels: 128,
};

/** A checkpoint of zeros with the tensors of this network. */
async function made(architecture: Architecture, config: NetworkConfig, metadata: Record<string, string>) {
  return openCheckpoint(writeSafetensors(zeros(expectedTensors(architecture, config)), metadata));
}

describe("the config in the metadata", () => {
  it("is parsed, completed with the reference's defaults, and fits the tensors", async () => {
    for (const path of FILES) {
      const checkpoint = await openCheckpoint(path);
      const parsed = parseConfig(checkpoint);
      validateTensors(checkpoint, parsed.architecture, parsed.config);
      await checkpoint.close();
      expect(parsed.architecture).toBe(checkpoint.metadata.architecture);
      expect(parsed.config).toEqual({ ...REFERENCE_DEFAULTS, ...JSON.parse(checkpoint.metadata.config!) });
      expect(parsed.inferred).toEqual([]);
    }
  });

  it("has labels and a value range where the file does", async () => {
    const parsed = await load(FASHION);
    expect(parsed.labels).toHaveLength(10);
    expect(parsed.labels?.[9]).toBe("Ankle boot");
    expect(parsed.valueRange).toEqual([-1, 1]);
    expect(await load(EDM2)).not.toHaveProperty("labels");
    const range = (value_range: string) => load(EDM2, (metadata) => Object.assign(metadata, { value_range }));
    expect((await range("0..255")).valueRange).toEqual([0, 255]);
    for (const wrong of ["[1,-1]", "[0]", "yes", '["a","b"]', "[0,null]", "0..0"]) {
      expect(await refusal(range(wrong))).toMatch(/value_range .* is not a pair \[low, high\]/);
    }
  });

  it("wrong labels are refused", async () => {
    const labels = (text: string) => refusal(load(FASHION, (metadata) => Object.assign(metadata, { labels: text })));
    expect(await labels('["a"]')).toMatch(/1 labels, but label_dim is 10/);
    expect(await labels("[[1],2,3,4,5,6,7,8,9,10]")).toMatch(/labels .* not a JSON list of strings/);
    expect(await labels("a,b")).toMatch(/not a JSON list of strings/);
  });

  it("names that are numbers are their digits, and null is no list", async () => {
    const labels = async (text: string) =>
      (await load(FASHION, (metadata) => Object.assign(metadata, { labels: text }))).labels;
    expect(await labels("[7,2,3,4,5,6,1,8,9,10]")).toEqual(["7", "2", "3", "4", "5", "6", "1", "8", "9", "10"]);
    expect(await labels("null")).toBeUndefined();
  });

  it("arguments of training are passed over", async () => {
    const parsed = await withConfig(EDM2, { dropout: 0.1, use_fp16: true, gradient_checkpoint: false });
    expect(parsed.config).not.toHaveProperty("dropout");
  });

  it("other forms of the free arguments are accepted", async () => {
    const free = {
      clip_act: null,
      resample_filter: [1, 3, 3, 1],
      res_balance: 0,
      concat_balance: 1,
      sigma_data: 1,
      attn_resolutions: [8, 4, 99],
    };
    expect((await withConfig(EDM2, free)).config).toMatchObject(free);
  });

  it.each<[string, unknown]>([
    ["img_resolution", "16"],
    ["img_resolution", 0],
    ["img_channels", 3.5],
    ["label_dim", -1],
    ["label_dim", null],
    ["model_channels", true],
    ["channel_mult", []],
    ["channel_mult", [1, 0]],
    ["channel_mult", 2],
    ["channel_mult", new Array(17).fill(1)],
    ["channel_mult_emb", 0],
    ["num_blocks", 1e9],
    ["attn_resolutions", ["8"]],
    ["attn_resolutions", null],
    ["label_balance", 1.5],
    ["concat_balance", "0.5"],
    ["res_balance", -0.1],
    ["resample_filter", [1]],
    ["resample_filter", [1, 2, 1]],
    ["resample_filter", [1, 2]],
    ["resample_filter", [1, -1, -1, 1]],
    ["channels_per_head", 0],
    ["clip_act", 0],
    ["clip_act", false],
    ["sigma_data", 0],
    ["logvar_channels", 0],
    ["gamma", -0.1],
    ["init_sigma", null],
  ])("%s = %j is refused by name", async (name, value) => {
    const message = await refusal(withConfig(NCVSD, { [name]: value }));
    expect(message).toContain(`${name} in its config is ${JSON.stringify(value)}, but it has to be `);
  });

  it("unknown arguments are refused by name", async () => {
    expect(await refusal(withConfig(EDM2, { chanel_mult: [1] }))).toMatch(
      /argument "chanel_mult", which edm2 does not have/,
    );
    expect(await refusal(withConfig(EDM2, { gamma: 0.4 }))).toMatch(/argument "gamma", which edm2 does not have/);
    const proto = load(EDM2, (metadata) => Object.assign(metadata, { config: '{"__proto__": 1}' }));
    expect(await refusal(proto)).toMatch(/argument "__proto__"/);
    const inherited = load(EDM2, (metadata) => Object.assign(metadata, { config: '{"toString": 1}' }));
    expect(await refusal(inherited)).toMatch(/argument "toString"/);
  });

  it("a config that is no JSON object is refused", async () => {
    for (const config of ["", "{", "[]", "null", "7", '{"sigma_data": Infinity}']) {
      expect(await refusal(load(EDM2, (metadata) => Object.assign(metadata, { config })))).toMatch(
        /config is not (valid JSON|a JSON object)/,
      );
    }
  });

  it("arguments that do not go together are refused", async () => {
    expect(await refusal(withConfig(EDM2, { img_resolution: 18 }))).toMatch(
      /img_resolution 18 cannot be halved 2 times/,
    );
    expect(await refusal(withConfig(EDM2, { channels_per_head: 9 }))).toMatch(
      /channels_per_head 9 gives .* 3 heads, .* 32 channels/,
    );
  });
});

describe("the architecture", () => {
  it("is told by the tensors when the metadata do not say", async () => {
    for (const path of FILES) {
      const { architecture } = await load(path);
      expect((await load(path, (metadata) => delete metadata.architecture)).architecture).toBe(architecture);
    }
  });

  it("that is none of ours is refused", async () => {
    expect(await refusal(load(fixturePath("disc-tiny.safetensors")))).toMatch(/discriminator/);
    expect(await refusal(load(fixturePath("disc-tiny.safetensors"), (m) => delete m.architecture))).toMatch(
      /discriminator/,
    );
    expect(await refusal(load(weightsPath("fashion32-features.safetensors")))).toMatch(
      /"fashion32-features" is not one of/,
    );
    expect(await refusal(load(weightsPath("fashion32-reference-stats.safetensors")))).toMatch(
      /no architecture, and its tensor names/,
    );
    expect(await refusal(load(EDM2, (m) => Object.assign(m, { architecture: "ncvsd" })))).toMatch(
      /"ncvsd", but its tensors are those of "edm2"/,
    );
    expect(await refusal(load(EDM2, (m) => Object.assign(m, { architecture: "toString" })))).toMatch(/not one of/);
  });
});

describe("arguments that the config leaves out", () => {
  const shapes = [
    "img_resolution",
    "img_channels",
    "label_dim",
    "model_channels",
    "channel_mult",
    "num_blocks",
    "attn_resolutions",
  ];

  it("are read off the tensors where these determine them, all at once and one by one", async () => {
    for (const path of FILES) {
      const { config } = await load(path);
      const gone = Object.fromEntries(shapes.map((name) => [name, undefined]));
      const parsed = await withConfig(path, gone);
      expect(parsed.config).toEqual(config);
      expect([...parsed.inferred].sort()).toEqual(
        expect.arrayContaining(shapes.filter((name) => name !== "attn_resolutions").sort()),
      );
      for (const name of shapes)
        expect((await withConfig(path, { [name]: undefined })).config).toMatchObject({
          model_channels: config.model_channels,
          channel_mult: config.channel_mult,
        });
    }
  });

  it("otherwise have the reference's defaults", async () => {
    const config: NetworkConfig = {
      ...(await load(EDM2)).config,
      channels_per_head: 64,
      img_resolution: 64,
      model_channels: 8,
      channel_mult: [1, 2, 3, 4],
      num_blocks: 3,
      attn_resolutions: [16, 8],
    };
    const required = { img_resolution: 64, img_channels: 3, label_dim: 10, model_channels: 8 };
    const full = parseConfig(await made("edm2", config, { architecture: "edm2", config: JSON.stringify(required) }));
    expect(full).toEqual({ architecture: "edm2", config, inferred: [] });
    const bare = parseConfig(await made("edm2", config, { config: "{}" }));
    expect(bare).toEqual({
      architecture: "edm2",
      config,
      inferred: ["img_resolution", "img_channels", "label_dim", "model_channels"],
    });
  });

  it("any factorisation of the channels will do", async () => {
    const base = (await load(NCVSD)).config;
    const config = {
      ...base,
      model_channels: 4,
      channel_mult: [6, 4],
      channel_mult_noise: 3,
      channel_mult_emb: 5,
      img_resolution: 8,
      attn_resolutions: [],
      channels_per_head: 16,
    };
    const { channel_mult: _m, model_channels: _c, channel_mult_noise: _n, channel_mult_emb: _e, ...rest } = config;
    const checkpoint = await made("ncvsd", config, { config: JSON.stringify(rest) });
    const parsed = parseConfig(checkpoint);
    expect(parsed.config).toMatchObject({
      model_channels: 4,
      channel_mult: [6, 4],
      channel_mult_noise: 3,
      channel_mult_emb: 5,
    });
    const two = parseConfig(await made("ncvsd", config, { config: JSON.stringify({ ...rest, model_channels: 2 }) }));
    expect(two.config).toMatchObject({
      model_channels: 2,
      channel_mult: [12, 8],
      channel_mult_noise: 6,
      channel_mult_emb: 10,
    });
    expect(expectedTensors("ncvsd", two.config)).toEqual(expectedTensors("ncvsd", config));
  });

  it("without a default and not to be read off either, are named", async () => {
    const path = await edited(EDM2, (file) => {
      file.tensors = file.tensors.filter(({ name }) => name !== "unet.enc.16x16_conv.weight");
      file.metadata.config = '{"label_dim": 10}';
    });
    const checkpoint = await openCheckpoint(path);
    expect(() => parseConfig(checkpoint)).toThrow(
      /config lacks img_resolution, img_channels, model_channels, .* do not determine them/,
    );
  });
});

describe("without any config", () => {
  const bare = (path: string) => load(path, (metadata) => delete metadata.config);

  it("what the tensors do not determine is named, and only what matters for this network", async () => {
    const common = ["concat_balance", "resample_filter", "res_balance", "clip_act", "sigma_data"];
    const named = (message: string) => /the arguments? ([\w, ]+);/.exec(message)![1]!.split(", ").sort();
    expect(named(await refusal(bare(EDM2)))).toEqual(
      [...common, "label_balance", "attn_balance", "channels_per_head"].sort(),
    );
    expect(named(await refusal(bare(FILES[1])))).toEqual([...common, "attn_balance", "channels_per_head"].sort());
    expect(named(await refusal(bare(FASHION)))).toEqual(
      [...common, "label_balance", "attn_balance", "channels_per_head", "gamma", "init_sigma"].sort(),
    );
    const config: NetworkConfig = { ...(await load(FILES[1])).config, channel_mult: [1], channels_per_head: 64 };
    const plain = await made("edm2", config, {});
    expect(named(await refusal((async () => parseConfig(plain))()))).toEqual([
      "clip_act",
      "concat_balance",
      "res_balance",
      "sigma_data",
    ]);
  });

  it("a config with nothing but these is enough", async () => {
    for (const [path, channels_per_head] of [
      [EDM2, 16],
      [FILES[1], 8],
      [NCVSD, 16],
      [FASHION, 32],
    ] as const) {
      const { config } = await load(path);
      const parsed = await load(path, (metadata) =>
        Object.assign(metadata, { config: JSON.stringify({ channels_per_head }) }),
      );
      expect(parsed.config).toEqual(config);
    }
  });

  it("channels_per_head is not needed without attention, and found where only one reading is possible", async () => {
    const base = { ...(await load(FILES[1])).config, model_channels: 40, channel_mult: [1, 2] };
    const none = parseConfig(
      await made("edm2", { ...base, attn_resolutions: [], channels_per_head: 100 }, { config: "{}" }),
    );
    expect(blockPlan(none.config).decoder.every(({ heads }) => heads === 0)).toBe(true);
    const wide = { ...base, channel_mult: [3, 2], attn_resolutions: [16], channels_per_head: 100 };
    const one = parseConfig(await made("edm2", wide, { config: "{}" }));
    expect(blockPlan(one.config).decoder.map(({ heads }) => heads)).toEqual(
      blockPlan(wide).decoder.map(({ heads }) => heads),
    );
  });
});
