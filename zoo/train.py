#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the bundled models on Fashion-MNIST and exports them to ONNX.

    python3 zoo/train.py resnet     -> zoo/resnet20_fmnist.onnx
    python3 zoo/train.py mobilenet  -> zoo/mobilenet_fmnist.onnx

Needs Debian 12's python3-torch, python3-onnx, python3-numpy and
dataset-fashion-mnist, and nothing else.  The seed, the thread count and the
library versions fix the result: the same machine trains the same weights.
No choice is made by looking at the test images; they are scored once, at the
end, and the line that is printed then is kept in zoo/README.md.

SGD with Nesterov momentum under a one-cycle learning rate (Smith 2018,
arXiv 1803.09820), crops and flips, label smoothing, and an exponential moving
average of the weights, which is what is exported.
"""
import argparse
import gzip
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

DATA = "/usr/share/datasets/fashion-mnist"
MEAN, STD = 0.2860, 0.3530      # of the 60,000 training images, as in configs/datasets/fashion-mnist.yaml


def idx(name):
    with gzip.open(os.path.join(DATA, name)) as f:
        raw = f.read()
    dims = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(dims)]
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape).copy())


def images(part):
    x = idx(f"{part}-images-idx3-ubyte.gz").float().div_(255).sub_(MEAN).div_(STD).unsqueeze(1)
    return x, idx(f"{part}-labels-idx1-ubyte.gz").long()


class Block(nn.Module):
    """Basic residual block (He et al. 2015, arXiv 1512.03385), projection shortcut where the shape changes."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = None
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


def separable(cin, cout, stride):
    """Depthwise and pointwise convolution (MobileNet, Howard et al. 2017, arXiv 1704.04861) with ReLU6."""
    return nn.Sequential(nn.Conv2d(cin, cin, 3, stride, 1, groups=cin, bias=False), nn.BatchNorm2d(cin), nn.ReLU6(),
                         nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU6())


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.b1 = separable(16, 32, 1)
        self.b2 = separable(32, 64, 2)
        self.b3 = separable(64, 64, 1)
        self.b4 = separable(64, 128, 2)
        self.b5 = separable(128, 128, 1)
        self.b6 = separable(128, 128, 1)
        self.b7 = separable(128, 256, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        x = self.b3(self.b2(self.b1(self.stem(x))))
        x = self.b7(self.b6(self.b5(self.b4(x))))
        return self.fc(torch.flatten(self.pool(x), 1))


def augment(x, gen):
    """Random flip, and a random crop after padding by 2, each image with its own offsets."""
    n, _, h, w = x.shape
    pad = F.pad(x, (2, 2, 2, 2), value=-MEAN / STD)
    dy = torch.randint(0, 5, (n, 1, 1), generator=gen)
    dx = torch.randint(0, 5, (n, 1, 1), generator=gen)
    cols = torch.arange(w).view(1, 1, w).expand(n, 1, w)
    flip = torch.rand(n, 1, 1, generator=gen) < 0.5
    cols = torch.where(flip, w - 1 - cols, cols) + dx
    rows = torch.arange(h).view(1, h, 1) + dy
    return pad[torch.arange(n).view(n, 1, 1), 0, rows, cols].unsqueeze(1)


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        right = sum((net(x[i:i + 500]).argmax(1) == y[i:i + 500]).sum().item() for i in range(0, len(x), 500))
    return 100.0 * right / len(x)


def train(net, epochs, lr, batch, seed):
    x, y = images("train")
    gen = torch.Generator().manual_seed(seed)
    steps = len(x) // batch
    decay = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() == 1]
    opt = torch.optim.SGD([{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0}],
                          lr=lr, momentum=0.9, nesterov=True)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, lr, max(1, epochs * steps), pct_start=0.25, div_factor=10,
                                                final_div_factor=200)
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    done = 0
    for epoch in range(epochs):
        net.train()
        begin, total = time.time(), 0.0
        order = torch.randperm(len(x), generator=gen)
        for i in range(steps):
            pick = order[i * batch:(i + 1) * batch]
            batch_x = augment(x[pick], gen).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(batch_x), y[pick], label_smoothing=0.05)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            sched.step()
            total += loss.item()
            done += 1
            keep = min(0.998, (1 + done) / (10 + done))
            for k, v in net.state_dict().items():
                if v.dtype.is_floating_point:
                    mean[k].lerp_(v, 1 - keep)
                else:
                    mean[k].copy_(v)
        print(f"epoch {epoch + 1}/{epochs} loss {total / steps:.4f} {time.time() - begin:.0f} s", flush=True)
    net.load_state_dict(mean)
    return net.to(memory_format=torch.contiguous_format)


MODELS = {      # name: (network, epochs, peak learning rate, file)
    "resnet": (ResNet20, 16, 0.2, "resnet20_fmnist.onnx"),
    "mobilenet": (MobileNet, 14, 0.2, "mobilenet_fmnist.onnx"),
}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", choices=MODELS)
    p.add_argument("--epochs", type=int)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("-o", "--output")
    a = p.parse_args()

    torch.set_num_threads(a.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(a.seed)
    make, epochs, lr, name = MODELS[a.model]
    net = make().to(memory_format=torch.channels_last)     # the faster layout of PyTorch's CPU convolutions
    print(f"{a.model}: {sum(p.numel() for p in net.parameters())} parameters, torch {torch.__version__}", flush=True)
    net = train(net, a.epochs if a.epochs is not None else epochs, lr, 128, a.seed)
    x, y = images("t10k")
    print(f"top-1 on the 10,000 test images: {accuracy(net, x, y):.2f} %", flush=True)

    out = a.output or os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    net.eval()
    # Batch-norm is left in the mobilenet file, so that importing it exercises the folding.
    keep_bn = torch.onnx.TrainingMode.PRESERVE if a.model == "mobilenet" else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(net, x[:1], out, opset_version=13, input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}}, training=keep_bn)
    with torch.no_grad():
        np.savetxt(out.replace(".onnx", ".logits.txt"), net(x[:8]).numpy(), fmt="%.6f",
                   header="logits of the first 8 test images, as PyTorch computes them")
    print(f"wrote {out}, {os.path.getsize(out)} bytes", flush=True)


if __name__ == "__main__":
    main()
