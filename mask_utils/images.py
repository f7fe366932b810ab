"""Picture files, opened, decoded, encoded and written here alone."""

import contextlib
import functools
import io
import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from mask_utils.errors import UserError
from mask_utils.files import read_regular_file, write_file
from mask_utils.picture_formats import PICTURE_FORMATS

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded (they take 300 MB of memory)."""

# Only decoders of plain raster formats: none of these starts another program. Pillow registers
# the last three only when their modules are imported. An MPO file opens as JPEG.
_DECODERS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)
_ENCODER_OPTIONS = {
    "JPEG": {"quality": 95},
    "WEBP": {"quality": 95},
    "PNG": {"compress_level": 3},
    "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 95, "max_threads": 1},
    "HEIF": {"quality": 95},
}
_EXIF_ORIENTATION = 0x0112
# Markers of JPEG: frames that libjpeg decodes; EXIF and Adobe's colour transform, left to Pillow.
_FRAMES, _TELLING_MARKERS = (0xC0, 0xC1, 0xC2), (0xE1, 0xEE)
_LONGEST_JPEG = 65_500  # pixels a side
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_STRIP_OFFSETS, _STRIP_LENGTHS = 273, 279  # tags of TIFF


class PictureError(UserError):
    """A picture that cannot be read or written; the message is one line for the user."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        PictureError: the file is missing, may not be read, or is not a regular file.
    """
    return read_stamped_file(path)[0]


def read_stamped_file(path: str | Path) -> tuple[bytes, os.stat_result]:
    """Return what read_file does, and the file's size and times when it was opened."""
    try:
        return read_regular_file(path)
    except OSError as error:
        raise PictureError(f"the file cannot be opened: {error.strerror or error}") from None
    except ValueError as error:
        raise PictureError(str(error)) from None


def decode_picture(data: bytes) -> np.ndarray:
    """Decode a picture file as a viewer shows it.

    EXIF rotation is applied, transparency becomes white, 16-bit values are reduced to 8 bits, and
    the first frame of an animation is taken.

    Args:
        data: the whole file; the content decides the format, not the name.

    Returns:
        uint8 array (height, width, 3), RGB, 0-255.

    Raises:
        PictureError: not a picture, cut short, damaged, or of more than MAX_PIXELS pixels.
    """
    if not data:
        raise PictureError("expected a picture; the file is empty")
    if _is_plain_jpeg(data):
        with contextlib.suppress(ValueError):  # damaged: Pillow decides whether it can be used
            return simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=_decoders(data)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise PictureError(
                        f"expected at most {MAX_PIXELS:,} pixels; got {width} x {height}"
                    )
                return np.array(_upright_rgb(image))
        except PictureError:
            raise
        except Image.UnidentifiedImageError:
            raise PictureError(
                "expected a picture (" + ", ".join(_DECODERS) + "); the content is something else"
            ) from None
        except Image.DecompressionBombError:
            raise PictureError(f"expected at most {MAX_PIXELS:,} pixels; got far more") from None
        # Decoders raise nearly anything on damaged bytes.
        except Exception as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            raise PictureError(f"the picture is damaged or cut short: {cause}") from None


def _is_plain_jpeg(data: bytes) -> bool:
    """Whether a file is a JPEG of 8-bit YCbCr that needs no rotation and is not too large.

    libjpeg-turbo alone decodes these to the same pixels as Pillow, in half the time.
    """
    if data[:2] != b"\xff\xd8":
        return False
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in _TELLING_MARKERS:
        if data[at + 1] in _FRAMES:
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            ids = tuple(data[at + 10 : at + 19 : 3])
            return data[at + 4] == 8 and ids == (1, 2, 3) and 0 < height * width <= MAX_PIXELS
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _decoders(data: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats to try: HEIF where the file says that it is one."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIF_BRANDS:
        return _DECODERS
    _register_heif()
    return ("HEIF",)


@functools.cache
def _register_heif() -> None:
    try:
        import pillow_heif  # optional, and slow to import
    except ImportError:
        raise PictureError(
            "expected pillow-heif for a HEIC picture; it is not installed; "
            "run: pip install -e '.[heif]'"
        ) from None
    pillow_heif.register_heif_opener()


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    try:
        turned = image.getexif().get(_EXIF_ORIENTATION, 1) != 1
    except Exception:  # a damaged EXIF block has no orientation; the pixels are good
        turned = False
    if turned:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise PictureError("expected 8 or 16 bits a channel; got larger values")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise PictureError("expected 8 or 16 bits a channel; got floating-point values")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def read_picture(path: Path) -> np.ndarray:
    """Read a picture file; see decode_picture for what is returned and raised."""
    return decode_picture(read_file(path))


def picture_format(suffix: str) -> str:
    """Return Pillow's name of the format of a file name ending, any case.

    Raises:
        PictureError: the ending is not one of PICTURE_FORMATS.
    """
    file_format = PICTURE_FORMATS.get(suffix.lower())
    if file_format is None:
        raise PictureError(
            f"expected a picture file name ending in one of {', '.join(PICTURE_FORMATS)}; "
            f"got {suffix or 'no ending'!r}"
        )
    return file_format


def encode_picture(picture: np.ndarray, suffix: str) -> bytes:
    """Encode a picture in the format of a file name ending.

    Args:
        picture: uint8 (height, width, 3) RGB or (height, width) grey, 0-255.
        suffix: a key of PICTURE_FORMATS, any case; JPEG, WebP, AVIF and HEIF are written at
            quality 95.

    Raises:
        PictureError: the ending is not one of PICTURE_FORMATS, the format cannot hold the size, or
            it is HEIF and pillow-heif is not installed.
    """
    file_format = picture_format(suffix)
    if file_format == "HEIF":
        _register_heif()
    if file_format == "JPEG" and picture.ndim == 3 and max(picture.shape) <= _LONGEST_JPEG:
        # The same bytes as Pillow writes, in less time.
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, 95))
        return jpeg.tobytes()
    buffer = io.BytesIO()
    try:
        Image.fromarray(picture).save(
            buffer, format=file_format, **_ENCODER_OPTIONS.get(file_format, {})
        )
    except (OSError, ValueError, SystemError) as error:
        raise PictureError(
            f"a picture of {picture.shape[1]} x {picture.shape[0]} cannot be written as "
            f"{file_format}: {error}"
        ) from None
    data = buffer.getvalue()
    return _without_stray_bytes(data) if file_format == "TIFF" else data


def _without_stray_bytes(data: bytes) -> bytes:
    """Set the bytes between the strips and the directory of a TIFF file to zero.

    libtiff aligns the directory and does not set the byte before it, so that files of equal
    pictures would differ.
    """
    clean = bytearray(data)
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        strips = sorted(
            zip(image.tag_v2[_STRIP_OFFSETS], image.tag_v2[_STRIP_LENGTHS], strict=True)
        )
    directory = int.from_bytes(data[4:8], "little")
    ends = [offset + length for offset, length in strips]
    for end, start in zip(ends, [*(offset for offset, _ in strips[1:]), directory], strict=True):
        clean[end:start] = bytes(max(0, start - end))
    return bytes(clean)


def write_picture(path: Path, picture: np.ndarray, temporary_folder: Path | None = None) -> None:
    """Encode a picture in the format of its name's ending, and write the complete file.

    Args:
        path: the file; a missing folder is created.
        picture: see encode_picture.
        temporary_folder: see mask_utils.files.whole_file.

    Raises:
        PictureError: see encode_picture; or the file cannot be written (rights, space, name).
    """
    path = Path(path)
    data = encode_picture(picture, path.suffix)
    try:
        write_file(path, data, temporary_folder)
    except OSError as error:
        raise PictureError(f"{path.name} cannot be written: {error.strerror or error}") from None
