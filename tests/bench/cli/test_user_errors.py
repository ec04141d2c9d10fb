"""An error in a user's own encoder is one sentence with its file and line, not a trace, and exits with 2."""

from __future__ import annotations

import numpy as np
import pytest

HEAD = "from encoders import descriptor\n\n\n@descriptor('mine', dim=2)\ndef mine(image):\n"
REGISTER = (
    "from dataclasses import replace\nfrom encoders import LoadedEncoder, register, resolve\n\n\n"
    "@register('mine')\ndef mine(**options):\n    return replace(resolve('thumbnail'), name='mine', build=build)\n\n\n"
)


@pytest.fixture
def data(tmp_path, save_png):
    for label in "ab":
        for i in range(3):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=100 * ord(label) + i)
    return ("--data", tmp_path / "raw")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (HEAD + "    return [1, 1 / 0]\n", "line 6, in mine (`return [1, 1 / 0]`), when it was given an image of shape (20, 30, 3), at position 0: ZeroDivisionError: division by zero"),
        (HEAD + "    return helper(image)\n\n\ndef helper(image):\n    return image.men()\n", "line 10, in helper (`return image.men()`)"),
        (HEAD + "    import sys\n    sys.exit('no')\n", "line 7, in mine (`sys.exit('no')`), when it was given an image of shape (20, 30, 3), at position 0: SystemExit: no"),
        (HEAD + "    return 'text'\n", "in mine, when it was given an image of shape (20, 30, 3), at position 0: ValueError: could not convert"),
        (HEAD + "    return [1, 2, 3]\n", "declares dim=2 and gave shape (3,)"),
        (HEAD + "    return [1, float('nan')]\n", "mine.py:mine"),
        ("x = 1 / 0\n", "line 1 (`x = 1 / 0`), when it was imported: ZeroDivisionError"),
        ("def broken(:\n", "line 1 (`def broken(:`), when it was imported: SyntaxError"),
        ("import sys\nsys.exit(3)\n", "line 2 (`sys.exit(3)`), when it was imported: SystemExit: 3"),
        ("import no_such_package\n", "line 1 (`import no_such_package`), when it was imported: ModuleNotFoundError"),
        ("from encoders import register\n\n\n@register('mine')\ndef mine(**options):\n    return options['a']\n", "line 6, in mine (`return options['a']`), when it was asked what it is: KeyError: 'a'"),
        ("from encoders import register\n\n\n@register('mine')\ndef mine(**options):\n    return 3\n", "Got int from encoder 'mine'"),
        (REGISTER + "def build(spec, placement):\n    raise RuntimeError('no weights')\n", "line 11, in build (`raise RuntimeError('no weights')`), when it was loaded: RuntimeError: no weights"),
        (REGISTER + "def build(spec, placement):\n    return LoadedEncoder(spec, encode, '')\n\n\ndef encode(images):\n    return images[99]\n", "line 15, in encode (`return images[99]`), when it was given 6 images of shape"),
    ],
)  # fmt: skip
def test_an_error_of_a_users_encoder_names_file_and_line(bench, data, tmp_path, code, said):
    (tmp_path / "mine.py").write_text(code)
    for command in (("extract",), ("run", "--shots", "1", "--head", "knn", "--workers", 1, "--draws", 2)):
        status, text = bench(*command, *data, "--encoder", "mine.py:mine")
        assert status == 2 and said in text and "Traceback" not in text, text
        assert said.startswith(("declares", "Got", "mine.py")) or f"the encoder file {tmp_path / 'mine.py'}, " in text


def test_a_corrected_file_is_run_again(bench, data, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + "    return [1, 1 / 0]\n")
    assert bench("extract", *data, "--encoder", "mine.py:mine")[0] == 2
    (tmp_path / "mine.py").write_text(HEAD + "    return [1, image.mean()]\n")
    code, text = bench("extract", *data, "--encoder", "mine.py:mine")
    assert code == 0 and "6 made" in text


def test_a_function_that_changes_its_image_changes_no_vector_of_another_encoder(bench, data, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + "    image //= 2\n    return image.mean((0, 1))[:2]\n")
    vectors = []
    for out, names in (("together", "mine.py:mine,color-stats"), ("alone", "color-stats")):
        assert bench("extract", *data, "--out", tmp_path / out, "--encoder", names)[0] == 0
        to = tmp_path / f"{out}.npz"
        assert bench("export", *data, "--out", tmp_path / out, "--encoder", "color-stats", "--to", to)[0] == 0
        vectors.append(np.load(to)["embedding"])
    assert np.array_equal(*vectors)


@pytest.mark.parametrize(
    "body",
    [
        "    return np.random.rand(2)\n",
        "    seen.append(1)\n    return [image.mean(), 100 * len(seen)]\n",
    ],
)
def test_a_function_that_gives_an_image_two_vectors_is_refused(bench, data, tmp_path, body):
    (tmp_path / "mine.py").write_text("import numpy as np\n\nseen = []\n" + HEAD + body)
    code, text = bench("extract", *data, "--encoder", "mine.py:mine")
    assert code == 2 and "Got two vectors of one image" in text, text


def test_a_network_whose_vector_depends_on_its_batch_is_refused(bench, data, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n" + REGISTER + "def build(spec, placement):\n    return LoadedEncoder(spec, encode, '')\n\n\n"
        "def encode(images):\n    x = np.stack([i.reshape(-1) for i in images]).astype('float32')\n"
        "    return x - (x.mean(0) if len(x) > 1 else 0)\n"
    )
    code, text = bench("extract", *data, "--encoder", "mine.py:mine")
    assert code == 2 and "call .eval()" in text, text


def test_the_command_that_fit_prints_names_an_encoder_that_predict_wants_to_be_named(bench, data, tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + "    return image.mean((0, 1))[:2]\n")
    code, text = bench("fit", *data, "--encoder", "short=mine.py:mine", "--head", "centroid", "--save", "a.model")
    said = "bench predict a.model IMAGES --encoder mine.py:mine --to predictions.csv"
    assert code == 0 and f"Next: {said}" in " ".join(text.split()), text
    assert "IMAGES --encoder mine.py:mine --to" in (tmp_path / "a.model" / "README.md").read_text()
    words = said.replace("IMAGES", str(data[1])).split()[1:]
    code, text = bench(*words)
    assert code == 0, text
    assert "--encoder" not in bench("fit", *data, "--encoder", "color-stats", "--head", "centroid", "--save", "b.model")[1].partition("Next")[2]


def test_what_is_not_in_an_export_is_told(bench, data, tmp_path):
    folder = data[1]
    (folder / "a" / "bad.png").write_bytes(b"no")
    table = tmp_path / "part.csv"
    paths = sorted(folder.glob("*/[0-9].png"))
    table.write_text("path,label\n" + "".join(f"{path},{'' if path.stem == '2' else path.parent.name}\n" for path in paths))
    for source, said in ((folder, "Skipped a/bad.png"), (table, "2 of 6 rows of part.csv have no label and were left out")):
        assert bench("extract", "--data", source, "--encoder", "color-stats")[0] == 0
        code, text = bench("export", "--data", source, "--encoder", "color-stats", "--to", tmp_path / "x.npz")
        assert code == 0 and said in text, text
