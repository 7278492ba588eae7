"""A training step of DISCO in NumPy: the four passes of the network as one writes them there, a row for each point, and Adam.

Reads one line of JSON from stdin, { config, adam, rows, tensors: [[name, shape], ...] }, then the tensors, x, target and weight as
float32; after that every line "run" makes a step and is answered "done", and "output" is answered by the first step's gradient, float32.
"""

import json
import sys

import numpy as np

source, sink = sys.stdin.buffer, sys.stdout.buffer
head = json.loads(source.readline())
config, adam, rows = head["config"], head["adam"], head["rows"]
dim, embed, slope, eps = config["dim"], config["embed"], np.float32(config["negative_slope"]), np.float32(config["norm_eps"])
half = embed // 2


def array(shape):
    return np.frombuffer(source.read(4 * int(np.prod(shape))), np.float32).reshape(shape).copy()


p = {name: array(shape) for name, shape in head["tensors"]}
x, target, weight = array([rows, dim]), array([rows, dim]), array([rows])
m = {name: np.zeros_like(values) for name, values in p.items()}
v = {name: np.zeros_like(values) for name, values in p.items()}
omega = (10_000.0 ** (-np.arange(half) / (half - 1))).astype(np.float32)
units = [(f"blocks.{b}.norm{k}", f"blocks.{b}.fc{k}") for b in range(config["blocks"]) for k in (0, 1)] + [("out_norm", "out")]


def mean(a):
    return a.mean(1, keepdims=True)


def pull(n, s, t):
    """The derivative of h -> n, which is symmetric."""
    return (t - mean(t) - n * mean(n * t)) / s


def gradients():
    g = {}
    phase = x[:, :, None] * omega
    sine, cosine = np.sin(phase), np.cos(phase)
    features = np.concatenate([sine, cosine], 2).reshape(rows, -1)
    slopes = np.concatenate([omega * cosine, -omega * sine], 2)
    # Forward.
    u = features @ p["in.weight"].T + p["in.bias"]
    h = value = np.concatenate([u, u], 1)
    tape = []
    for i, (norm, layer) in enumerate(units):
        centred = value - mean(value)
        s = np.sqrt(mean(centred * centred) + eps)
        n = centred / s
        a = p[f"{norm}.alpha"] * p[f"{norm}.gamma"]
        y = a * n + p[f"{norm}.beta"]
        mask = np.where(y >= 0, np.float32(1), slope)
        act = mask * y
        tape.append((n, s, a, mask, act))
        value = act @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
        if i % 2 == 1:
            h = value = h + value
    # First backward: the gradient of phi = |z|^2.
    through = 2 * value
    stream, first = None, [None] * len(units)
    for i in reversed(range(len(units))):
        layer = units[i][1]
        n, s, a, mask, _ = tape[i]
        back = through @ p[f"{layer}.weight"]
        pn = a * mask * back
        first[i] = (through, back, pn)
        through = pull(n, s, pn)
        if i % 2 == 0:
            stream = through = through if stream is None else stream + through
    folded = stream[:, : stream.shape[1] // 2] + stream[:, stream.shape[1] // 2 :]
    o = ((folded @ p["in.weight"]).reshape(rows, dim, embed) * slopes).sum(2)
    r = 2 * weight[:, None] * (o - target) / np.float32(rows * dim)
    # Tangent along r.
    moved = (slopes * r[:, :, None]).reshape(rows, -1)
    u = moved @ p["in.weight"].T
    h = value = np.concatenate([u, u], 1)
    tangent = []
    for i, (_, layer) in enumerate(units):
        n, s, a, mask, _ = tape[i]
        nd = pull(n, s, value)
        vd = mask * a * nd
        tangent.append((value, nd, vd))
        value = vd @ p[f"{layer}.weight"].T
        if i % 2 == 1:
            h = value = h + value
    # Second backward, which has all gradients.
    through, stream = 2 * value, None
    for i in reversed(range(len(units))):
        norm, layer = units[i]
        n, s, a, mask, act = tape[i]
        p_out, back, pn = first[i]
        hd, nd, vd = tangent[i]
        g[f"{layer}.weight"] = through.T @ act + p_out.T @ vd
        g[f"{layer}.bias"] = through.sum(0)
        qy = mask * (through @ p[f"{layer}.weight"])
        both = (qy * n + mask * back * nd).sum(0)
        g[f"{norm}.beta"] = qy.sum(0)
        g[f"{norm}.gamma"] = both * p[f"{norm}.alpha"]
        g[f"{norm}.alpha"] = both * p[f"{norm}.gamma"]
        nh, np_ = mean(n * hd), mean(n * pn)
        psi = (mean(pn * hd) - mean(pn) * mean(hd) - np_ * nh) / s
        through = pull(n, s, a * qy - (nh * pn + np_ * hd) / s) - psi / s * n
        if i % 2 == 0:
            stream = through = through if stream is None else stream + through
    second = stream[:, : stream.shape[1] // 2] + stream[:, stream.shape[1] // 2 :]
    g["in.weight"] = second.T @ features + folded.T @ moved
    g["in.bias"] = second.sum(0)
    return g


def step():
    g = gradients()
    b1, b2 = np.float32(adam["beta1"]), np.float32(adam["beta2"])
    for name, own in g.items():
        m[name] = b1 * m[name] + (1 - b1) * own
        v[name] = b2 * v[name] + (1 - b2) * own * own
        p[name] -= np.float32(adam["lr"]) / (1 - b1) * m[name] / (np.sqrt(v[name] / (1 - b2)) + np.float32(adam["eps"]))
    return g


kept = None
for line in iter(source.readline, b""):
    if line == b"run\n":
        made = step()
        kept = kept or made
        sink.write(b"done\n")
    else:
        sink.write(b"".join(np.ascontiguousarray(kept[name], np.float32).tobytes() for name, _ in head["tensors"]))
    sink.flush()
