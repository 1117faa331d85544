"""Writes the small picture files of this folder, one per format, layout, depth, compression, byte order and orientation,
and expected.json: what Pillow, tifffile and OpenCV read from them, as type, size, CRC-32 of all bytes and a few values.

"picture" is what read_picture must give (stored values), "image" what read_image must give (as a network sees it).
Run: python make.py (Pillow, tifffile, imagecodecs, opencv-python, numpy)
"""
import io
import json
import pathlib
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageOps, features

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 37, 23
DEPTHS = {np.dtype(np.uint8): "8U", np.dtype(np.uint16): "16U", np.dtype(np.int16): "16S", np.dtype(np.float32): "32F"}
EXIF_TURNS = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
              5: lambda a: a.swapaxes(0, 1), 6: lambda a: a[::-1].swapaxes(0, 1),
              7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: a[:, ::-1].swapaxes(0, 1)}
expected = {}


def fingerprint(array):
    array = np.ascontiguousarray(array)
    channels = 1 if array.ndim == 2 else array.shape[2]
    flat = array.ravel()
    return {"type": f"{DEPTHS[array.dtype]}C{channels}", "size": [array.shape[1], array.shape[0]],
            "crc": zlib.crc32(array.astype(array.dtype.newbyteorder("<")).tobytes()),
            "values": [float(v) for v in flat[[0, 1, flat.size // 2, flat.size - 1]]]}


def expect(name, picture, image=None, palette=None, pages=None):
    """image: None, as the picture. pages: the pictures of the pages after the first."""
    entry = {"picture": fingerprint(picture), "image": fingerprint(picture if image is None else image)}
    if palette is not None:
        entry["palette"] = np.asarray(palette).tolist()
    if pages:
        entry["pages"] = [fingerprint(page) for page in pages]
    expected[name] = entry


def equal(a, b):
    assert a.dtype == b.dtype and np.array_equal(a, b), (a.dtype, b.dtype, a.shape, b.shape)


def smooth(channels=3, top=255, dtype=np.uint8, width=WIDTH, height=HEIGHT):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    values = (np.sin(x / 7 + c) + np.cos(y / 5 - c) + 2) / 4 * top
    return values.astype(dtype)[..., 0] if channels == 1 else values.astype(dtype)


def noise(seed, shape, top=256, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def pil(name):
    return Image.open(HERE / name)


# ---- JPEG: what Pillow's libjpeg-turbo decodes ----

def jpeg(name, image, **options):
    Image.fromarray(image, "CMYK" if image.ndim == 3 and image.shape[2] == 4 else None).save(HERE / name, **options)
    check_jpeg(name)


def check_jpeg(name):
    image = ImageOps.exif_transpose(pil(name))
    expect(name, np.asarray(image if image.mode == "L" else image.convert("RGB")))


def make_jpegs():
    jpeg("grey.jpg", smooth(1), quality=90)
    jpeg("ycbcr_444.jpg", smooth(), quality=90, subsampling=0)
    jpeg("ycbcr_422.jpg", smooth(), quality=90, subsampling=1)
    jpeg("ycbcr_420.jpg", smooth(), quality=90, subsampling=2, restart_marker_rows=1)
    jpeg("progressive.jpg", smooth(), quality=90, progressive=True)
    jpeg("progressive_grey.jpg", smooth(1), quality=75, progressive=True, optimize=True)
    jpeg("rgb.jpg", smooth(), quality=90, keep_rgb=True)
    jpeg("cmyk.jpg", smooth(4), quality=90)
    (HERE / "ycck.jpg").write_bytes(imagecodecs.jpeg8_encode(smooth(4), 90, colorspace="CMYK", outcolorspace="YCCK", subsampling="444"))
    check_jpeg("ycck.jpg")
    for orientation in range(1, 9):
        if orientation % 2:
            block = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
        else:
            block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
        image = smooth(3, width=19, height=11)
        jpeg(f"orientation_{orientation}.jpg", image, quality=90, subsampling=0, exif=block)


# ---- TIFF ----

def by_hand(name, width, height, rows, bits, photometric, order="<", colormap=None, compression=1, orientation=None):
    """One strip of packed rows, for what no library writes."""
    tags = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits]), (259, 3, [compression]), (262, 3, [photometric]),
            (273, 4, [None]), (277, 3, [1]), (278, 4, [height]), (279, 4, [len(rows)])]
    if orientation:
        tags.append((274, 3, [orientation]))
    if colormap is not None:
        tags.append((320, 3, colormap))
    tags.sort()
    at = 8 + 2 + 12 * len(tags) + 4
    extra, entries = b"", b""
    for tag, kind, values in tags:
        if values == [None]:
            entries += struct.pack(order + "HHII", tag, kind, 1, at + (2 * len(colormap) if colormap is not None else 0))
            continue
        data = struct.pack(order + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(data) > 4:
            extra += data
            data = struct.pack(order + "I", at)
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    (HERE / name).write_bytes(start + struct.pack(order + "H", len(tags)) + entries + bytes(4) + extra + rows)


def packed(values, bits):
    out = b""
    for row in values:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        out += bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
    return out


def tiff(name, array, image=None, **options):
    """array: as tifffile takes it; what it reads again is what is expected, channels last."""
    tifffile.imwrite(HERE / name, array, metadata=None, **options)
    read = tifffile.imread(HERE / name)
    equal(read, array)
    if options.get("planarconfig") == "separate":
        read = np.moveaxis(read, 0, -1)
    if read.dtype.kind == "f":
        read = read.astype(np.float32)
    expect(name, read.astype(read.dtype.newbyteorder("=")), image)
    return read


def make_tiffs():
    grey, rgb = noise(1, (HEIGHT, WIDTH)), noise(2, (HEIGHT, WIDTH, 3))
    deep = noise(3, (HEIGHT, WIDTH, 3), 65536, np.uint16)
    signed = noise(4, (HEIGHT, WIDTH), 65536, np.int32).astype(np.int16)
    real = np.random.default_rng(5).normal(size=(HEIGHT, WIDTH))
    tiff("grey_8.tif", grey, photometric="minisblack", rowsperstrip=5)
    tiff("grey_8_packbits.tif", smooth(1), photometric="minisblack", compression="packbits", rowsperstrip=7)
    tiff("rgb_8_lzw_predictor.tif", smooth(), photometric="rgb", compression="lzw", predictor=2)
    tiff("rgb_16_deflate_predictor.tif", deep, photometric="rgb", compression="zlib", predictor=2, rowsperstrip=4)
    tiff("rgb_16_big_endian_predictor.tif", deep, photometric="rgb", byteorder=">", compression="zlib", predictor=2)
    tiff("rgb_8_separate.tif", np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate", rowsperstrip=6)
    tiff("rgb_16_separate_tiles.tif", np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate", tile=(16, 16),
         byteorder=">")
    tiff("rgb_8_tiles.tif", rgb, photometric="rgb", tile=(16, 32), compression="zlib")
    tiff("signed_16.tif", signed, photometric="minisblack")
    tiff("signed_16_big_endian.tif", signed, photometric="minisblack", byteorder=">", compression="lzw", predictor=2)
    tiff("float_16.tif", real.astype(np.float16), photometric="minisblack")
    tiff("float_32_tiles_predictor.tif", real.astype(np.float32), photometric="minisblack", tile=(16, 16),
         compression="zlib", predictor=3)
    tiff("float_32_big_endian.tif", real.astype(np.float32), photometric="minisblack", byteorder=">", bigtiff=True)
    tiff("float_64.tif", real, photometric="minisblack", compression="zlib")
    tiff("float_64_big_endian.tif", real, photometric="minisblack", byteorder=">")
    tiff("channels_7.tif", noise(6, (HEIGHT, WIDTH, 7)), photometric="minisblack", planarconfig="contig", tile=(16, 16))
    tiff("channels_5_float_separate.tif", np.random.default_rng(7).normal(size=(5, 9, 11)).astype(np.float32),
         photometric="minisblack", planarconfig="separate")
    tiff("channels_512.tif", noise(8, (2, 3, 512)), photometric="minisblack", planarconfig="contig", compression="zlib")
    tiff("channels_4_no_alpha.tif", noise(9, (9, 11, 4)), photometric="rgb", extrasamples=["unspecified"])
    rgba = noise(10, (9, 11, 4))
    tiff("rgb_alpha.tif", rgba, rgba[..., :3], photometric="rgb", extrasamples=["unassalpha"])
    two = noise(11, (9, 11, 2))
    tiff("grey_alpha.tif", two, two[..., 0], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    tiff("big_tiff.tif", rgb, photometric="rgb", bigtiff=True, compression="zlib")
    white = 255 - tiff("white_is_zero_8.tif", grey, photometric="miniswhite")
    equal(white, np.asarray(pil("white_is_zero_8.tif")))
    expect("white_is_zero_8.tif", white)

    pages = [noise(20, (5, 7)), noise(21, (6, 4, 3)), noise(22, (3, 3), 65536, np.uint16)]
    with tifffile.TiffWriter(HERE / "pages.tif") as writer:
        for page in pages:
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    for i, page in enumerate(pages):
        equal(tifffile.imread(HERE / "pages.tif", key=i), page)
    expect("pages.tif", pages[0], pages=pages[1:])

    for orientation in range(1, 9):
        image = noise(30, (5, 8, 3), dtype=np.uint8)
        name = f"orientation_{orientation}.tif"
        tifffile.imwrite(HERE / name, image, photometric="rgb", metadata=None, extratags=[(274, 3, 1, orientation, True)])
        turned = EXIF_TURNS[orientation](image)
        with pil(name) as opened:  # turns itself while loading
            equal(np.asarray(ImageOps.exif_transpose(opened)), turned)
        expect(name, turned)
    wide = np.random.default_rng(31).normal(size=(4, 6, 9)).astype(np.float32)
    tifffile.imwrite(HERE / "orientation_6_channels_9.tif", wide, photometric="minisblack", planarconfig="contig",
                     metadata=None, extratags=[(274, 3, 1, 6, True)])
    expect("orientation_6_channels_9.tif", EXIF_TURNS[6](wide))

    for bits in (1, 2, 4):
        top = (1 << bits) - 1
        values = noise(40 + bits, (9, 11), top + 1)
        name = f"grey_{bits}.tif"
        by_hand(name, 11, 9, packed(values, bits), bits, 1)
        equal(tifffile.imread(HERE / name).astype(np.uint8), values)
        expect(name, values, values * (255 // top))
        name = f"white_is_zero_{bits}.tif"
        by_hand(name, 11, 9, packed(values, bits), bits, 0, ">")
        equal(np.asarray(pil(name).convert("L")), (top - values) * (255 // top))
        expect(name, top - values, (top - values) * (255 // top))
        colors = noise(50 + bits, (1 << bits, 3), 65536, np.uint16)
        name = f"palette_{bits}.tif"
        by_hand(name, 11, 9, packed(values, bits), bits, 3, colormap=colors.T.ravel().tolist())
        eight = (colors >> 8).astype(np.uint8)
        if bits > 1:  # Pillow reads no palette of one bit
            equal(np.asarray(pil(name).convert("RGB")), eight[values])
        expect(name, values, eight[values], eight)
    colors = noise(60, (256, 3))
    image = Image.fromarray(grey, "P")
    image.putpalette(colors.tobytes())
    image.save(HERE / "palette_8.tif", compression="tiff_lzw")
    equal(np.asarray(pil("palette_8.tif").convert("RGB")), colors[grey])
    expect("palette_8.tif", grey, colors[grey], colors)

    bilevel = smooth(1) > 120
    for compression in ("group3", "group4", "tiff_ccitt"):
        name = f"bilevel_{compression}.tif"
        Image.fromarray(bilevel).save(HERE / name, compression=compression)
        equal(np.asarray(pil(name)), bilevel)
        expect(name, bilevel.astype(np.uint8), bilevel.astype(np.uint8) * 255)
    for name, image in (("jpeg_ycbcr.tif", smooth()), ("jpeg_grey.tif", smooth(1))):
        Image.fromarray(image).save(HERE / name, compression="jpeg", quality=90)
        expect(name, np.asarray(pil(name)))
    tifffile.imwrite(HERE / "jpeg_tiles.tif", smooth(), photometric="ycbcr", compression="jpeg", tile=(16, 16), metadata=None,
                     subsampling=(2, 2))
    expect("jpeg_tiles.tif", np.asarray(pil("jpeg_tiles.tif").convert("RGB")))
    Image.fromarray(smooth(4), "CMYK").save(HERE / "cmyk.tif", compression="tiff_deflate")
    expect("cmyk.tif", np.asarray(pil("cmyk.tif").convert("RGB")))


# ---- WebP ----

def make_webps():
    for name, channels, options in (("lossy.webp", 3, {"quality": 80}), ("lossless.webp", 3, {"lossless": True}),
                                    ("lossy_alpha.webp", 4, {"quality": 80}),
                                    ("lossless_alpha.webp", 4, {"lossless": True, "exact": True})):
        Image.fromarray(smooth(channels)).save(HERE / name, **options)
        read = np.asarray(pil(name))
        assert read.shape[2] == channels
        expect(name, read, read[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth()).save(HERE / "orientation_6.webp", lossless=True, exif=exif)
    expect("orientation_6.webp", np.asarray(ImageOps.exif_transpose(pil("orientation_6.webp"))))
    frames = [Image.fromarray(noise(seed, (8, 8, 3))) for seed in (1, 2)]
    frames[0].save(HERE / "animated.webp", save_all=True, append_images=frames[1:])


# ---- BMP ----

def bmp_by_hand(name, width, height, bits, rows, palette=b"", core=False, compression=0, masks=b""):
    header = struct.pack("<IHHHH", 12, width, height, 1, bits) if core else struct.pack(
        "<IiiHHIIiiII", 40 + (16 if len(masks) == 16 else 0), width, height, 1, bits, compression, 0, 0, 0,
        len(palette) // 4 if bits == 4 else 0, 0)
    at = 14 + len(header) + len(masks) + len(palette)
    (HERE / name).write_bytes(b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + masks + palette + rows)


def bmp_rows(values):
    return b"".join(row + bytes(-len(row) % 4) for row in values)


def make_bmps():
    grey, rgb = noise(1, (9, 11)), noise(2, (9, 11, 3))
    colors = noise(70, (256, 3))
    bgrx = np.c_[colors[:, ::-1], np.zeros((256, 1), np.uint8)].tobytes()
    for bits in (1, 4, 8):
        values = noise(71, (9, 11), 1 << bits)
        name, count = f"palette_{bits}.bmp", {1: 2, 4: 13, 8: 256}[bits]
        values = np.minimum(values, count - 1)
        bmp_by_hand(name, 11, 9, bits, bmp_rows(packed([row], bits) for row in values[::-1]), bgrx[:4 * count])
        equal(np.asarray(pil(name).convert("RGB")), colors[values])
        expect(name, values, colors[values], colors[:count])
    values = noise(72, (9, 11))
    bmp_by_hand("core_header.bmp", 11, 9, 8, bmp_rows(row.tobytes() for row in values[::-1]), colors[:, ::-1].tobytes(), True)
    equal(np.asarray(pil("core_header.bmp").convert("RGB")), colors[values])
    expect("core_header.bmp", values, colors[values], colors)
    Image.fromarray(rgb).save(HERE / "rgb.bmp")
    equal(np.asarray(pil("rgb.bmp")), rgb)
    expect("rgb.bmp", rgb)
    bmp_by_hand("top_down.bmp", 11, -9, 24, bmp_rows(row[:, ::-1].tobytes() for row in rgb))
    equal(np.asarray(pil("top_down.bmp")), rgb)
    expect("top_down.bmp", rgb)
    four = np.concatenate([rgb, grey[..., None]], 2)
    bmp_by_hand("rgb_32.bmp", 11, 9, 32, four[::-1, :, [2, 1, 0, 3]].tobytes())
    equal(np.asarray(pil("rgb_32.bmp").convert("RGB")), rgb)
    expect("rgb_32.bmp", rgb)
    bmp_by_hand("rgb_alpha.bmp", 11, 9, 32, four[::-1, :, [2, 1, 0, 3]].tobytes(), compression=3,
                masks=struct.pack("<IIII", 0xff0000, 0xff00, 0xff, 0xff000000))
    equal(np.asarray(pil("rgb_alpha.bmp")), four)
    expect("rgb_alpha.bmp", four, rgb)


# ---- PNM ----

def scaled(values, top, full):
    return np.round(values / top * full).astype(np.uint8 if full == 255 else np.uint16)


def make_pnms():
    bits = noise(80, (9, 11), 2)
    text = lambda values: "\n".join(" ".join(str(v) for v in row.ravel()) for row in values).encode() + b"\n"
    black = (1 - bits).astype(np.uint8)  # PBM: 1 is black
    files = {"text.pbm": b"P1\n# a comment\n11 9\n" + text(bits).replace(b" ", b""),
             "text.pgm": b"P2 11\n9 #a comment\n255\n" + text(noise(81, (9, 11))),
             "text_16.pgm": b"P2 11 9 65535\n" + text(noise(82, (9, 11), 65536, np.uint16)),
             "text.ppm": b"P3\n11 9\n255\n" + text(noise(83, (9, 11, 3))),
             "binary.pbm": b"P4\n11 9\n" + packed(bits, 1),
             "binary.pgm": b"P5\n11 9\n255\n" + noise(81, (9, 11)).tobytes(),
             "binary_16.pgm": b"P5\n11 9\n65535\n" + noise(82, (9, 11), 65536, np.uint16).astype(">u2").tobytes(),
             "maximum_20.pgm": b"P5\n11 9\n20\n" + noise(84, (9, 11), 21).tobytes(),
             "maximum_1000.pgm": b"P5\n11 9\n1000\n" + noise(85, (9, 11), 1001, np.uint16).astype(">u2").tobytes(),
             "binary.ppm": b"P6\n11 9\n255\n" + noise(83, (9, 11, 3)).tobytes(),
             "binary_16.ppm": b"P6\n11 9\n65535\n" + noise(86, (9, 11, 3), 65536, np.uint16).astype(">u2").tobytes()}
    pictures = {"text.pbm": black, "text.pgm": noise(81, (9, 11)), "text_16.pgm": noise(82, (9, 11), 65536, np.uint16),
                "text.ppm": noise(83, (9, 11, 3)), "binary.pbm": black, "binary.pgm": noise(81, (9, 11)),
                "binary_16.pgm": noise(82, (9, 11), 65536, np.uint16), "maximum_20.pgm": noise(84, (9, 11), 21),
                "maximum_1000.pgm": noise(85, (9, 11), 1001, np.uint16), "binary.ppm": noise(83, (9, 11, 3)),
                "binary_16.ppm": noise(86, (9, 11, 3), 65536, np.uint16)}
    images = {"text.pbm": black * 255, "binary.pbm": black * 255,
              "maximum_20.pgm": scaled(pictures["maximum_20.pgm"], 20, 255),
              "maximum_1000.pgm": scaled(pictures["maximum_1000.pgm"], 1000, 65535)}
    for name, data in files.items():
        (HERE / name).write_bytes(data)
        image = images.get(name, pictures[name])
        if name == "binary_16.ppm":
            read = cv2.imread(str(HERE / name), cv2.IMREAD_UNCHANGED)[..., ::-1]  # Pillow makes it 8 bits
        else:
            read = np.asarray(pil(name))
            read = (read * np.uint8(255) if read.dtype == bool else read).astype(image.dtype)
        equal(read, image)
        expect(name, pictures[name], image)
    for name, channels, top, kind in (("grey.pam", 1, 255, "GRAYSCALE"), ("grey_alpha.pam", 2, 255, "GRAYSCALE_ALPHA"),
                                      ("rgb_alpha_16.pam", 4, 65535, "RGB_ALPHA"), ("bits.pam", 1, 1, "BLACKANDWHITE"),
                                      ("channels_5.pam", 5, 255, "SPECTRUM")):
        values = noise(90, (9, 11, channels), top + 1, np.uint16 if top > 255 else np.uint8)
        header = f"P7\n# a comment\nWIDTH 11\nHEIGHT 9\nDEPTH {channels}\nMAXVAL {top}\nTUPLTYPE {kind}\nENDHDR\n"
        (HERE / name).write_bytes(header.encode() + values.astype(">u2" if top > 255 else np.uint8).tobytes())
        image = values[..., :3] if channels == 4 else values[..., :1] if channels == 2 else values
        expect(name, values, image * 255 if top == 1 else image)
        if kind in ("RGB_ALPHA", "GRAYSCALE"):  # OpenCV leaves the order of the channels as it is
            read = cv2.imread(str(HERE / name), cv2.IMREAD_UNCHANGED)
            equal(read, values if channels > 1 else values[..., 0])


for made in (make_jpegs, make_tiffs, make_webps, make_bmps, make_pnms):
    made()
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(expected.items()))
(HERE / "expected.json").write_text("{\n" + lines + "\n}\n")
print(len(expected), "files; Pillow's", *(f"{name} {features.version(name)}" for name in ("libjpeg_turbo", "webp", "libtiff")))
