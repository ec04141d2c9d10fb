"""Files to arrays: every image format a microscopist is likely to have, and a plain reason when one fails.

Arrays are (H, W, C) in the file's own depth: uint8, uint16 or float32. Nothing is windowed or converted
to RGB here; that is part of an encoder variant. Files are data: nothing in them is run, and nothing they
name is opened.
"""

from bench.images.formats import IMAGE_SUFFIXES, VERSION, open_image, probe_image, read_image
from bench.images.in_parts import read_through, sample, sample_step
from bench.images.picture import COLORS, NO_MEMORY, PASSING, ImageError, ImageInfo, Picture
from bench.images.series import file_of, split_series
from bench.images.unchanged import content_digest, digest_as_read

__all__ = [
    "COLORS",
    "IMAGE_SUFFIXES",
    "NO_MEMORY",
    "PASSING",
    "VERSION",
    "ImageError",
    "ImageInfo",
    "Picture",
    "content_digest",
    "digest_as_read",
    "file_of",
    "open_image",
    "probe_image",
    "read_image",
    "read_through",
    "sample",
    "sample_step",
    "split_series",
]
