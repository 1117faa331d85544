"""Writes the small PNG files of this folder, one per color type and bit depth, with no image library: chunks by hand.

Then reads each back with Pillow and OpenCV and writes what they see to expected.json: the stored values (what
read_raw_image must give) and the image as a network sees it (what read_image must give), where that library keeps them.
Run: python make.py
"""
import json
import pathlib
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 7, 5
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows(values, bits):
    """values: [h, w, c] -> filtered scan lines, filter 0."""
    out = b""
    for row in values.reshape(values.shape[0], -1):
        if bits == 16:
            data = row.astype(">u2").tobytes()
        elif bits == 8:
            data = row.astype(np.uint8).tobytes()
        else:
            text = "".join(format(int(v), f"0{bits}b") for v in row)
            text += "0" * (-len(text) % 8)
            data = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
        out += b"\0" + data
    return out


def png(values, kind, bits, interlaced=False, palette=None, transparent=None):
    height, width = values.shape[:2]
    data = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced)))
    if palette is not None:
        data += chunk(b"PLTE", bytes(np.asarray(palette, np.uint8).ravel()))
    if transparent is not None:
        data += chunk(b"tRNS", transparent)
    if interlaced:
        parts = [values[y::dy, x::dx] for x, y, dx, dy in PASSES]
        stream = b"".join(rows(part, bits) for part in parts if part.size)
    else:
        stream = rows(values, bits)
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IDAT", zlib.compress(stream, 9)) + chunk(b"IEND", b"")


def values_for(kind, bits, seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 1 << bits, (HEIGHT, WIDTH, CHANNELS[kind]))


def main():
    here = pathlib.Path(__file__).parent
    expected = {}
    palette = [[(37 * i) % 256, (91 * i + 5) % 256, (151 * i + 80) % 256] for i in range(16)]
    cases = []
    for kind, name, depths in ((0, "grey", (1, 2, 4, 8, 16)), (4, "grey_alpha", (8, 16)), (2, "rgb", (8, 16)),
                               (6, "rgba", (8, 16)), (3, "palette", (1, 2, 4, 8))):
        for bits in depths:
            cases.append((f"{name}_{bits}", kind, bits, {}))
    cases += [("grey_8_interlaced", 0, 8, {"interlaced": True}), ("grey_1_interlaced", 0, 1, {"interlaced": True}),
              ("rgb_16_interlaced", 2, 16, {"interlaced": True}), ("palette_4_interlaced", 3, 4, {"interlaced": True}),
              ("palette_4_transparent", 3, 4, {"transparent": bytes([0, 128])}),
              ("grey_8_transparent", 0, 8, {"transparent": struct.pack(">H", 3)}),
              ("rgb_8_transparent", 2, 8, {"transparent": struct.pack(">HHH", 1, 2, 3)})]
    for seed, (name, kind, bits, more) in enumerate(cases):
        values = values_for(kind, bits, seed)
        colors = None
        if kind == 3:
            colors = palette[:1 << min(bits, 4)]
            values %= len(colors)
        (here / f"{name}.png").write_bytes(png(values, kind, bits, palette=colors, **more))
        expected[name] = check(here / f"{name}.png", values, kind, bits, colors)
    (here / "expected.json").write_text(json.dumps(expected, separators=(",", ":")).replace('},"', '},\n"') + "\n")


def check(path, values, kind, bits, colors):
    """What was written must be what Pillow and OpenCV read; they are the judges, not the writer above."""
    if kind == 3:
        image = np.asarray(Image.open(path).convert("RGB"))
        stored = np.asarray(Image.open(path)).reshape(values.shape)
        assert (stored == values).all(), path
    else:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED if bits == 16 else
                           cv2.IMREAD_COLOR if kind in (2, 6) else cv2.IMREAD_GRAYSCALE)
        if image.ndim == 2:
            image = image[..., None]
        image = image[..., [2, 1, 0]] if image.shape[2] >= 3 else image
        if kind == 4:  # OpenCV makes BGRA of grey and alpha
            image = image[..., :1]
        plain = values[..., :1] if kind in (0, 4) else values[..., :3]
        scaled = plain * (255 // ((1 << bits) - 1)) if bits < 8 else plain
        assert (image == scaled).all(), (path, image[..., 0], scaled[..., 0])
    return {"bits": bits, "palette": colors or [], "channels": int(values.shape[2]), "stored": values.ravel().tolist(),
            "image_channels": int(image.shape[2]), "image": image.ravel().tolist()}


main()
