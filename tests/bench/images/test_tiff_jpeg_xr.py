"""A damaged JPEG XR in a TIFF is refused before its decoder can print a line for every tag that it does not know."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from bench.images import ImageError, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def written(path, pixels: np.ndarray) -> bytearray:
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, compression="jpegxr", tile=(32, 32), photometric=photometric)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True])
def test_a_sound_one_is_read(tmp_path, dtype, grey):
    pixels = (PIXELS[..., 0] if grey else PIXELS).astype(dtype)
    written(tmp_path / "a.tif", pixels)
    assert read_image(tmp_path / "a.tif").shape == (48, 64, 1 if grey else 3)


@pytest.mark.parametrize("change", [{32: 0xFF, 33: 0xFF}, {34: 0x77}, {4: 0xFF, 5: 0xFF}, {46: 0x57}])
def test_one_with_a_damaged_header_is_refused_and_nothing_is_printed(tmp_path, change, capfd):
    data = written(tmp_path / "a.tif", PIXELS)
    start = data.index(b"II\xbc\x01")
    for at, value in change.items():
        data[start + at] = value
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageError, match="the header of a strip or tile of JPEG XR"):
        read_image(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")
