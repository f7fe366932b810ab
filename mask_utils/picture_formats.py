"""Names of picture files."""

PICTURE_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
"""Endings (lower case) that are read and written, with Pillow's name of the format.

Of an .mpo (several JPEG pictures in one file) the first picture is read, and a JPEG is written.
HEIF needs the optional package pillow-heif.
"""
