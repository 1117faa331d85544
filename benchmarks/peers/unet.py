"""A U-Net (Ronneberger et al. 2015, with batch norm) as a PyTorch user writes it."""
import torch
from torch import nn


def double_conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                         nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, classes, widths=(32, 64, 128, 256, 512)):
        super().__init__()
        self.first = double_conv(3, widths[0])
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), double_conv(i, o)) for i, o in zip(widths, widths[1:]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in zip(widths[:0:-1], widths[-2::-1]))
        self.conv = nn.ModuleList(double_conv(i, o) for i, o in zip(widths[:0:-1], widths[-2::-1]))
        self.last = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = skips.pop()
        for up, conv in zip(self.up, self.conv):
            x = conv(torch.cat([skips.pop(), up(x)], 1))
        return self.last(x)
