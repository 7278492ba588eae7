"""
The training of `ncvsd-gpu train` in PyTorch, to be set beside it: the network of Karras et al. 2024 (EDM2, config G), its loss,
learning rate, optimiser and averages. Written from the formulas in docs and papers; it shares no code with what it is compared with.

    apt-get install --no-install-recommends python3-torch python3-pil     # Debian; numpy comes along
    python3 bench/teacher-pytorch.py --data fashion.zip --outdir pytorch --duration 49152 --snapshot 16384

Defaults are those of the preset fashion32. Averages are written as `train` writes them, in 16 bits under the same names, so that
`sample` and `evaluate` read them; log.jsonl has a line at every snapshot, with time by the clock and by the processor.
"""

import argparse
import copy
import io
import json
import math
import os
import time
import zipfile

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

EPS = 1e-4
CONFIG = {
    **{"model_channels": 32, "channel_mult": [1, 1, 2], "num_blocks": 1, "attn_resolutions": [8], "channels_per_head": 32},
    **{"label_balance": 0.5, "concat_balance": 0.5, "res_balance": 0.3, "attn_balance": 0.3, "clip_act": 256},
    **{"sigma_data": 0.5, "logvar_channels": 128, "dropout": 0},
}


def normalize(x, dims):
    """Unit root mean square over some dimensions."""
    norm = torch.linalg.vector_norm(x, dim=dims, keepdim=True)
    return x / (EPS + norm * math.sqrt(norm.numel() / x.numel()))


def mp_silu(x):
    return functional.silu(x) / 0.596


def mp_sum(a, b, t):
    return ((1 - t) * a + t * b) / math.hypot(1 - t, t)


def mp_cat(a, b, t):
    na, nb = a.shape[1], b.shape[1]
    c = math.sqrt((na + nb) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * (c * (1 - t) / math.sqrt(na)), b * (c * t / math.sqrt(nb))], 1)


class MPFourier(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("freqs", 2 * math.pi * torch.randn(channels))
        self.register_buffer("phases", 2 * math.pi * torch.rand(channels))

    def forward(self, x):
        return math.sqrt(2) * torch.cos(x[:, None] * self.freqs + self.phases)


class MPConv(nn.Module):
    """A convolution (kernel 1 or 3) or, with kernel 0, a linear layer."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *([kernel] * 2 if kernel else [])))

    def forward(self, x, gain=1):
        dims = tuple(range(1, self.weight.ndim))
        if self.training:
            with torch.no_grad():
                self.weight.copy_(normalize(self.weight, dims))
        w = normalize(self.weight, dims) * (gain / math.sqrt(self.weight[0].numel()))
        return x @ w.t() if w.ndim == 2 else functional.conv2d(x, w, padding=w.shape[-1] // 2)


class Block(nn.Module):
    def __init__(self, inputs, outputs, embedding, config, flavour, mode="keep", attention=False):
        super().__init__()
        self.config, self.flavour, self.mode = config, flavour, mode
        self.heads = outputs // config["channels_per_head"] if attention else 0
        self.emb_gain = nn.Parameter(torch.zeros([]))
        self.conv_res0 = MPConv(outputs if flavour == "enc" else inputs, outputs, 3)
        self.emb_linear = MPConv(embedding, outputs, 0)
        self.conv_res1 = MPConv(outputs, outputs, 3)
        self.conv_skip = MPConv(inputs, outputs, 1) if inputs != outputs else None
        self.attn_qkv = MPConv(outputs, 3 * outputs, 1) if self.heads else None
        self.attn_proj = MPConv(outputs, outputs, 1) if self.heads else None

    def forward(self, x, emb):
        if self.mode == "down":
            x = functional.avg_pool2d(x, 2)
        if self.mode == "up":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        if self.flavour == "enc":
            x = normalize(self.conv_skip(x) if self.conv_skip else x, 1)
        y = self.conv_res0(mp_silu(x))
        y = mp_silu(y * (self.emb_linear(emb, self.emb_gain) + 1)[:, :, None, None])
        y = self.conv_res1(functional.dropout(y, self.config["dropout"], self.training))
        if self.flavour == "dec" and self.conv_skip:
            x = self.conv_skip(x)
        x = mp_sum(x, y, self.config["res_balance"])
        if self.heads:
            x = mp_sum(x, self.attn_proj(self.attend(self.attn_qkv(x))), self.config["attn_balance"])
        return x.clip(-self.config["clip_act"], self.config["clip_act"])

    def attend(self, qkv):
        n, channels, height, width = qkv.shape
        q, k, v = normalize(qkv.reshape(n, self.heads, -1, 3, height * width), 2).unbind(3)
        weights = torch.softmax(q.transpose(2, 3) @ k / math.sqrt(q.shape[2]), -1)
        return (v @ weights.transpose(2, 3)).reshape(n, channels // 3, height, width)


class UNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        base, mult, blocks = config["model_channels"], config["channel_mult"], config["num_blocks"]
        levels = [(config["img_resolution"] >> i, base * m) for i, m in enumerate(mult)]
        noise, embedding = base * mult[0], base * max(mult)
        self.emb_fourier = MPFourier(noise)
        self.emb_noise = MPConv(noise, embedding, 0)
        self.emb_label = MPConv(config["label_dim"], embedding, 0) if config["label_dim"] else None
        block = lambda *args, **kw: Block(*args[:2], embedding, config, *args[2:], **kw)
        self.enc, skips, channels = nn.ModuleDict(), [], levels[0][1]
        for level, (side, width) in enumerate(levels):
            size, attention = f"{side}x{side}", side in config["attn_resolutions"]
            if level == 0:
                self.enc[f"{size}_conv"] = MPConv(config["img_channels"] + 1, channels, 3)
            else:
                self.enc[f"{size}_down"] = block(channels, channels, "enc", "down")
            skips.append(channels)
            for i in range(blocks):
                self.enc[f"{size}_block{i}"] = block(channels, width, "enc", attention=attention)
                channels = width
                skips.append(channels)
        self.dec = nn.ModuleDict()
        for level, (side, width) in reversed(list(enumerate(levels))):
            size, attention = f"{side}x{side}", side in config["attn_resolutions"]
            if level == len(levels) - 1:
                self.dec[f"{size}_in0"] = block(channels, channels, "dec", attention=True)
                self.dec[f"{size}_in1"] = block(channels, channels, "dec")
            else:
                self.dec[f"{size}_up"] = block(channels, channels, "dec", "up")
            for i in range(blocks + 1):
                self.dec[f"{size}_block{i}"] = block(channels + skips.pop(), width, "dec", attention=attention)
                channels = width
        self.out_conv = MPConv(channels, config["img_channels"], 3)
        self.out_gain = nn.Parameter(torch.zeros([]))

    def forward(self, x, noise, labels):
        emb = self.emb_noise(self.emb_fourier(noise))
        if self.emb_label:
            label = self.emb_label(labels * math.sqrt(labels.shape[1]))
            emb = mp_sum(emb, label, self.config["label_balance"])
        emb = mp_silu(emb)
        x, skips = torch.cat([x, torch.ones_like(x[:, :1])], 1), []
        for layer in self.enc.values():
            x = layer(x) if isinstance(layer, MPConv) else layer(x, emb)
            skips.append(x)
        for name, layer in self.dec.items():
            x = layer(mp_cat(x, skips.pop(), self.config["concat_balance"]) if "block" in name else x, emb)
        return self.out_conv(x, self.out_gain)


class Denoiser(nn.Module):
    """D(x; sigma), and the log variance u(sigma) that its loss is weighted with."""

    def __init__(self, config):
        super().__init__()
        self.sigma_data = config["sigma_data"]
        self.unet = UNet(config)
        self.logvar_fourier = MPFourier(config["logvar_channels"])
        self.logvar_linear = MPConv(config["logvar_channels"], 1, 0)

    def forward(self, x, sigma, labels):
        total = (sigma.square() + self.sigma_data**2)[:, None, None, None]
        noise = sigma.log() / 4
        f = self.unet(x / total.sqrt(), noise, labels)
        d = self.sigma_data**2 / total * x + sigma[:, None, None, None] * self.sigma_data / total.sqrt() * f
        return d, self.logvar_linear(self.logvar_fourier(noise))


def denoising_loss(network, images, labels, sigma, noise):
    """Of each entry: lambda exp(-u) (D - images)^2 + u."""
    d, u = network(images + sigma[:, None, None, None] * noise, sigma, labels)
    weight = (sigma.square() + network.sigma_data**2) / (sigma * network.sigma_data).square()
    u = u[:, :, None, None]
    return weight[:, None, None, None] * (-u).exp() * (d - images).square() + u


def learning_rate(images, batch, args):
    decay = math.sqrt(max(images / (args.decay * batch), 1)) if args.decay else 1
    return args.lr / decay * (min(images / args.rampup, 1) if args.rampup else 1)


def ema_exponent(std):
    """Of the power function with this relative standard deviation: the largest root."""
    q = std**-2
    return max(np.roots([1, 7, 16 - q, 12 - q]).real)


def read_dataset(path):
    """Images as bytes [N, C, H, W] and their classes, of an archive in EDM2's layout."""
    with zipfile.ZipFile(path) as archive:
        classes = dict(json.loads(archive.read("dataset.json"))["labels"])
        names = sorted(classes)
        images = np.stack([np.array(Image.open(io.BytesIO(archive.read(name)))) for name in names])
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(images)), torch.tensor([classes[name] for name in names])


def write_safetensors(path, tensors, metadata):
    header, offset, parts = {"__metadata__": metadata}, 0, []
    for name, tensor in tensors.items():
        parts.append(tensor.detach().half().numpy().tobytes())
        end = offset + len(parts[-1])
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--outdir", required=True)
    for name, value in {"duration": 2**20, "snapshot": 2**16, "batch": 32, "seed": 0, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in {"lr": 0.01, "decay": 2500.0, "rampup": 6400.0, "P_mean": -0.5, "P_std": 1.5}.items():
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--ema", type=float, nargs="*", default=[0.05, 0.1])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    os.makedirs(args.outdir, exist_ok=True)
    images, classes = read_dataset(args.data)
    shape = {"img_resolution": images.shape[-1], "img_channels": images.shape[1], "label_dim": int(classes.max()) + 1}
    config = {**CONFIG, **shape}
    network = Denoiser(config).train()
    optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), eps=1e-8)
    averages = {std: copy.deepcopy(network) for std in args.ema}
    metadata = {"format": "pt", "architecture": "edm2", "config": json.dumps(config)}
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, {len(images):,} images", flush=True)
    begun, losses, seen, order = (time.time(), time.process_time()), [], 0, torch.empty(0, dtype=torch.long)
    while seen < args.duration:
        if len(order) < args.batch:
            order = torch.cat([order, torch.randperm(len(images))])
        chosen, order = order[: args.batch], order[args.batch :]
        x = images[chosen].float() / 127.5 - 1
        labels = functional.one_hot(classes[chosen], shape["label_dim"]).float()
        sigma = (args.P_mean + args.P_std * torch.randn(args.batch)).exp()
        loss = denoising_loss(network, x, labels, sigma, torch.randn_like(x))
        optimiser.zero_grad(set_to_none=True)
        (loss.sum() / args.batch).backward()
        for parameter in network.parameters():
            torch.nan_to_num(parameter.grad, nan=0, posinf=0, neginf=0, out=parameter.grad)
        optimiser.param_groups[0]["lr"] = learning_rate(seen, args.batch, args)
        optimiser.step()
        seen += args.batch
        losses.append(loss.mean().item())
        with torch.no_grad():
            for std, average in averages.items():
                beta = (1 - args.batch / seen) ** (ema_exponent(std) + 1)
                for mean, parameter in zip(average.parameters(), network.parameters()):
                    mean.lerp_(parameter, 1 - beta)
        if seen % args.snapshot == 0 or seen >= args.duration:
            for std, average in averages.items():
                name = f"network-snapshot-{seen // 1000:07d}-{std:.3f}.safetensors"
                write_safetensors(os.path.join(args.outdir, name), average.state_dict(), metadata)
            seconds, cpu = time.time() - begun[0], time.process_time() - begun[1]
            line = {"images": seen, "loss": sum(losses) / len(losses), "seconds": seconds, "cpu_seconds": cpu}
            losses = []
            with open(os.path.join(args.outdir, "log.jsonl"), "a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{seen:,} images: loss {line['loss']:.4f}, {seen / seconds:.1f} images/s, {seen / cpu:.1f} a CPU second", flush=True)


if __name__ == "__main__":
    main()
