"""An image that a library never finishes is named after a while, and everything else goes on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.manifest import scan
from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.images import PASSING, ImageError, formats, in_time, label_values, open_image, read_image
from bench.images.label_values import read_label_values
from bench.images.picture import ImageInfo
from encoders import resolve

HANGS = 77  # the first pixel of an image that the decoder below never finishes


@pytest.fixture
def slow_decoder(monkeypatch):
    """A PNG decoder that never ends, at the header of a file HANGS pixels wide and at the pixels that begin with HANGS."""
    forever, png = threading.Event(), formats.OPENERS["PNG"]

    def opener(file, kind, opened):
        picture = png(file, kind, opened)
        if picture.info.width == HANGS:
            forever.wait()

        def plane(z):
            pixels = picture.plane(z)
            if pixels.flat[0] == HANGS:
                forever.wait()
            return pixels

        return formats.Picture(picture.info, plane)

    monkeypatch.setitem(formats.OPENERS, "PNG", opener)
    monkeypatch.setattr(in_time, "SECONDS", 0.3)
    monkeypatch.setattr(in_time, "SECONDS_PER_MEGAPIXEL", 0.0)
    yield
    forever.set()
    in_time.LEFT_BEHIND.clear()


def save(path: Path, first: int, width: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(first).integers(0, 50, (20, width), dtype=np.uint8)
    pixels[0, 0] = first
    Image.fromarray(pixels).save(path)


@pytest.mark.usefixtures("slow_decoder")
def test_an_image_whose_pixels_are_never_done_is_named_and_the_others_are_embedded(tmp_path):
    for label in ("a", "b"):
        for i in range(4):
            save(tmp_path / "raw" / label / f"{i}.png", HANGS if (label, i) == ("a", 2) else i + 4 * (label == "b"))
    prepared, report = extract_encoders(prepare(DataSpec(tmp_path / "raw"), tmp_path / "out"), [resolve("color-stats")])
    assert report.made == {"color-stats": 7}
    assert list(report.problems) == ["a/2.png"] and report.problems["a/2.png"].startswith("took longer than 0 s to decode")
    assert len(prepared.instances) == 7


@pytest.mark.usefixtures("slow_decoder")
def test_a_header_that_is_never_read_is_named_for_now_and_not_for_good(tmp_path):
    save(tmp_path / "x.png", 1)
    save(tmp_path / "header.png", 1, width=HANGS)
    problem = scan(tmp_path, ["x.png", "header.png"], None).set_index("path")["problem"]
    assert problem["x.png"] is None and problem["header.png"].startswith("took longer than")
    assert problem["header.png"].startswith(PASSING)


@pytest.mark.usefixtures("slow_decoder")
def test_nothing_more_is_asked_of_a_file_that_took_too_long(tmp_path):
    save(tmp_path / "x.png", HANGS)
    with open_image(tmp_path / "x.png") as picture:
        with pytest.raises(ImageError, match="took longer than 0 s"):
            picture.project()
        with pytest.raises(ImageError, match="took longer than the limit"):
            picture.project()
    assert len(in_time.LEFT_BEHIND) == 1


def test_a_mask_that_is_never_read_is_named(tmp_path, monkeypatch):
    forever = threading.Event()
    monkeypatch.setitem(label_values.READERS, "PNG", lambda *of: forever.wait())
    monkeypatch.setattr(in_time, "SECONDS", 0.3)
    save(tmp_path / "x.png", 1)
    with pytest.raises(ImageError, match="took longer than 0 s to decode and was left out"):
        read_label_values(tmp_path / "x.png")
    forever.set()


def test_what_the_work_raises_is_raised_and_a_limit_of_its_own_is_none_of_ours():
    def fail(error):
        raise error

    deadline = in_time.Deadline()
    for error in (TimeoutError("of the disk"), ImageError("damaged"), MemoryError(), KeyError("x")):
        with pytest.raises(type(error)):
            deadline.run(lambda error=error: fail(error))
    assert not deadline.passed and deadline.run(lambda: 3) == 3


def test_larger_pictures_have_more_time_up_to_the_largest_that_is_decoded_at_once():
    one, whole, slide = (ImageInfo(side, side, 3, 1, "uint8", "TIFF") for side in (1000, 13_000, 200_000))
    assert in_time.seconds_for(None) == 120 and in_time.seconds_for(one) == 125
    assert in_time.seconds_for(whole) == 120 + 5 * 169 and in_time.seconds_for(slide) == 120 + 5 * 178


def test_the_program_ends_though_a_decoder_does_not(tmp_path):
    save(tmp_path / "x.png", 1)
    code = (
        "import sys, threading\nfrom bench.images import ImageError, formats, in_time, read_image\n"
        "in_time.SECONDS = 0.2\nformats.OPENERS['PNG'] = lambda *of: threading.Event().wait()\n"
        "try:\n    read_image(sys.argv[1])\nexcept ImageError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.png")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("took longer than 0 s") and done.stderr == ""


def test_pixels_are_the_same_with_a_limit(tmp_path):
    save(tmp_path / "x.png", HANGS)
    assert (read_image(tmp_path / "x.png")[..., 0] == np.asarray(Image.open(tmp_path / "x.png"))).all()


def test_what_a_failed_reading_held_is_free_at_once():
    class Held:
        pass

    left = []

    def fail():
        held = Held()
        left.append(weakref.ref(held))
        raise ImageError("damaged")

    gc.disable()
    try:
        with suppress(ImageError):
            in_time.Deadline().run(fail)
        deadline = time.perf_counter() + 60
        while left[0]() is not None and time.perf_counter() < deadline:  # the thread ends a little later
            time.sleep(0.01)
        assert left[0]() is None
    finally:
        gc.enable()


def test_where_no_thread_can_be_started_an_image_is_read_without_a_limit(tmp_path, monkeypatch):
    def none_left(self):
        raise RuntimeError("can't start new thread")

    save(tmp_path / "x.png", 5)
    whole = read_image(tmp_path / "x.png")
    in_time.BESIDE.__dict__.clear()
    monkeypatch.setattr(in_time.Thread, "start", none_left)
    assert (read_image(tmp_path / "x.png") == whole).all()


def guards() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "image"}


def until(holds) -> bool:
    deadline = time.perf_counter() + 60
    while not holds() and time.perf_counter() < deadline:
        time.sleep(0.01)
    return holds()


def test_one_thread_serves_all_readings_of_a_caller_and_ends_with_it(tmp_path):
    save(tmp_path / "x.png", 1)
    before, served = guards(), []

    def read_some():
        for _ in range(5):
            read_image(tmp_path / "x.png")
            served.append(guards() - before)

    caller = threading.Thread(target=read_some)
    caller.start()
    caller.join()
    assert len(served) == 5 and len(served[0]) == 1 and all(one == served[0] for one in served)
    assert until(lambda: not guards() & served[0])


@pytest.mark.usefixtures("slow_decoder")
def test_after_a_reading_that_was_left_behind_the_next_one_has_a_thread_that_is_free(tmp_path):
    save(tmp_path / "x.png", HANGS)
    save(tmp_path / "y.png", 3)
    with pytest.raises(ImageError, match="took longer than 0 s"):
        read_image(tmp_path / "x.png")
    assert read_image(tmp_path / "y.png").shape == (20, 30, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_reads_images_though_it_has_none_of_the_threads(tmp_path):
    save(tmp_path / "x.png", 1)
    code = (
        "import os, sys\nfrom bench.images import in_time, read_image\nread_image(sys.argv[1])\n"
        "in_time.SECONDS = 20\n"
        "if not (child := os.fork()):\n    os._exit(0 if read_image(sys.argv[1]).shape == (20, 30, 1) else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.png")], timeout=300, check=False)
    assert done.returncode == 0


def test_time_in_which_the_program_stood_still_does_not_count(tmp_path):
    save(tmp_path / "x.png", 1)
    code = (
        "import sys, time\nfrom bench.images import formats, in_time, read_image\n"
        "in_time.SECONDS, in_time.TICK, png = 2.5, 0.2, formats.OPENERS['PNG']\n"
        "def slow(*of):\n    print('begun', flush=True)\n    while time.process_time() < spent + 0.2:\n        pass\n    return png(*of)\n"
        "formats.OPENERS['PNG'] = slow\nspent = time.process_time()\nprint(read_image(sys.argv[1]).shape)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x.png")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "begun\n"
        program.send_signal(signal.SIGSTOP)
        time.sleep(3)
        program.send_signal(signal.SIGCONT)
        assert program.communicate(timeout=300)[0] == "(20, 30, 1)\n" and program.returncode == 0
