"""A CSV as people have them: any encoding, separator, line end; what is no table is refused in a sentence."""

from __future__ import annotations

import re
from zipfile import ZipFile

import pytest

from bench.data.csv_table import column_names, read_table
from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.errors import BenchError

ROWS = ["a/1.png,Drüse", "a/2.png,Drüse", "b/1.png,b", "b/2.png,b"]


@pytest.fixture
def write(tmp_path, save_png):
    for i, name in enumerate(("a/1", "a/2", "b/1", "b/2")):
        save_png(tmp_path / f"{name}.png", seed=i)

    def csv(text: str | bytes, name: str = "l.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return csv


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", list(",;\t|"))
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_every_encoding_separator_and_line_end_is_read_alike(write, encoding, separator, end):
    text = end.join(["path,label", *ROWS, ""]).replace(",", separator)
    dataset = load_dataset(write(text.encode(encoding)))
    assert dataset.classes == ("Drüse", "b") and len(dataset.table) == 4
    told = any("not in UTF-8 and was read as Windows-1252" in note and "'Drüse'" in note for note in dataset.notes)
    assert told == (encoding in ("cp1252", "latin-1"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_where_most_letters_are_not_latin(write, encoding):
    text = "path,label,note\n" + "".join(f"{row},{'神经元的图像' * 4}\n" for row in ROWS)
    share = sum(ord(letter) < 256 for letter in text) / len(text)
    assert 0.3 < share < 0.5
    assert load_dataset(write(text.encode(encoding))).classes == ("Drüse", "b")


@pytest.mark.parametrize(
    "text",
    [
        "path,label,,\na/1.png,x,,\na/2.png,x,,\nb/1.png,b,,\n,,,\n,,,\n",  # columns and rows of a spreadsheet
        "path,label\na/1.png,x,,\na/2.png,x\n\n\nb/1.png,b\n , \n",  # commas at the end of a line, lines of spaces
        "sep=,\npath,label\na/1.png,x\na/2.png,x\nb/1.png,b\n",  # Excel's hint
        "\n\n,,\npath,label\na/1.png,x\na/2.png,x\nb/1.png,b\n",  # empty lines before the header
        " Path , LABEL \n a/1.png , x \na/2.png,x\nb/1.png,b",
        'path,label,note\na/1.png,x,"two\nlines, one comma"\na/2.png,x,"a ""quote"""\nb/1.png,b,\n',
        "path,label,path\na/1.png,x,a/1.png\na/2.png,x,a/2.png\nb/1.png,b,b/1.png\n",  # doubled, and the same
        "\ufeffpath,label\na\\1.png,x\n.\\a\\2.png,x\n./b/1.png,b\n",
    ],
)
def test_what_spreadsheets_add_changes_nothing(write, text):
    dataset = load_dataset(write(text))
    assert dataset.table["path"].tolist() == ["a/1.png", "a/2.png", "b/1.png"]
    assert dataset.classes == ("b", "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"PK\x03\x04xx", "is an Excel or OpenOffice workbook and no CSV; save it as CSV"),
        (b"\xd0\xcf\x11\xe0xx", "is an Excel workbook"),
        (b"\x1f\x8bxx", "is compressed"),
        (b"", "is empty"),
        (b"\n\n,,\n", "is empty"),
        (b"path,label,label\na/1.png,a,b\nb/1.png,b,b\n", "two columns 'label' in l.csv, and they differ"),
        (
            b"path,class,category\na/1.png,a,b\n",
            "columns class and category in l.csv, each of which could be the label",
        ),
        (b"path,labl\na/1.png,a\n", "did you mean 'labl'"),
        (b"a/1.png,a\nb/1.png,b\n", "whose first line names an image"),
        (b'path,label\na/1.png,"a\nb/1.png,b\n', "a quotation mark that opens in line 2 is not closed"),
        (b'path,label\n"a/1.png,a\nb/1.png",b\na/2.png,a\n', "a path of several lines in line 2"),
        ("path,label\na/1.png,a\nb/1.png,b\n".encode("utf-16")[:-1], "is no table (its text is damaged)"),
        (b"path,label\na/1.png,a,b,c,d,e,f,g,h,i,j,k,l\n", "line 2 has 13 fields"),
        (b"path,label\na/1.png,a\nb/1.png,b,c\n", "more fields than column names in l.csv (first in row 2)"),
        (b"path,label\na/1.png,a\n\n,b\n", "no path in line 4"),
        (b"path;label;um_per_px\na/1.png;a;0.2\nb/1.png;b;fine\n", "um_per_px 'fine' in line 3"),
    ],
)
def test_what_is_no_table_of_labels_is_refused_in_a_sentence(write, text, message):
    with pytest.raises(BenchError, match=re.escape(message)):
        load_dataset(write(text))


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("a/1.png", "a zip archive and no CSV; unpack it, and name its folder"),
        ("[Content_Types].xml", "which is an Excel or OpenOffice workbook and no CSV"),
        ("mimetype", "which is an Excel or OpenOffice workbook and no CSV"),
    ],
)
def test_an_archive_of_images_is_not_taken_for_a_workbook(write, inside, said):
    table = write("")
    with ZipFile(table, "w") as archive:
        archive.writestr(inside, b"x")
    with pytest.raises(BenchError, match=re.escape(said)):
        load_dataset(table)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("filename,class", "paths from 'filename' and labels from 'class' of l.csv"),
        ("Image Path,Category", "paths from 'image_path' and labels from 'category' of l.csv"),
        ("Image_Path,label", "paths from 'image_path' of l.csv"),
        ("FILE-NAME,Cell Type", "paths from 'file_name' and labels from 'cell_type' of l.csv"),
    ],
)
def test_usual_names_of_columns_are_taken_and_said(write, head, said):
    dataset = load_dataset(write("\n".join([head, *ROWS])))
    assert said in dataset.notes and len(dataset.table) == 4


def test_a_doubled_column_that_nobody_asks_for_is_no_matter(write):
    assert len(load_dataset(write("path,label,note,note\na/1.png,a,x,y\nb/1.png,b,x,z\n")).table) == 2


def test_a_decimal_comma_is_read_where_it_separates_no_fields(write):
    dataset = load_dataset(write("path;label;um_per_px\na/1.png;a;0,25\nb/1.png;b;1,5\n"))
    assert dataset.table["um_per_px"].tolist() == [0.25, 1.5]


def test_a_column_without_a_name_but_with_values_is_said(write):
    dataset = load_dataset(write(",path,label\n0,a/1.png,a\n1,b/1.png,b\n"))
    assert any("1 column was ignored in l.csv" in note for note in dataset.notes)


def test_lines_are_those_of_the_file_whatever_lies_between(write):
    table = read_table(write('\nsep=;\npath;label\n\n"a\nb";x\n;;\n\nc;y\nd;z\n'), "")
    assert table["path"].tolist() == ["a\nb", "c", "d"]
    assert [table.line(row) for row in range(3)] == [5, 9, 10]


def test_names_of_columns_are_known_without_reading_the_rest(write):
    assert column_names(write("Path;Label\nx;y\n")) == ("path", "label")
    assert column_names(write(b"PK\x03\x04")) == () and column_names(write(b"").with_name("none.csv")) == ()


def test_one_image_with_two_labels_is_skipped_and_repeated_rows_are_counted(write):
    dataset = load_dataset(write("path,label\na/1.png,a\na/1.png,b\na/2.png,a\na/2.png,a\nb/1.png,b\n"))
    assert dataset.problems.to_numpy().tolist() == [["a/1.png", "one region has the labels a and b"]]
    assert "1 row repeats another and was dropped" in dataset.notes


def test_it_is_said_where_repeated_rows_differ_in_what_else_they_say(write):
    rows = ("a/1.png,x,s1,train", "a/1.png,x,s1,test", "a/2.png,x,s2,test", "b/1.png,y,s3,train", "b/2.png,y,s3,test")
    dataset = load_dataset(write("\n".join(["path,label,group,split", *rows])))
    assert dataset.table["split"].tolist() == ["train", "test", "train", "test"]
    said = "1 row repeats another and was dropped, though they differ in split, e.g. a/1.png: the first of them counts"
    assert said in dataset.notes


def test_names_of_rows_as_r_writes_them_are_recognised(write):
    rows = [f'"{i}",{row}' for i, row in enumerate(ROWS, 1)]
    with pytest.raises(BenchError, match="did R write the names of rows.*row.names = FALSE"):
        load_dataset(write("\n".join(["path,label", *rows])))


@pytest.mark.parametrize("text", ["path,label\na/\0.png,a\nb/1.png,b\n", "path,label\na/1.png,a\0\nb/1.png,b\n", "path,la\0bel\na/1.png,a\n"])
def test_a_zero_byte_is_refused_wherever_it_stands(write, text):
    with pytest.raises(BenchError, match="holds a zero byte"):
        load_dataset(write(text))


def test_a_comment_before_the_header_is_skipped_and_said_and_lines_are_counted_with_it(write):
    dataset = load_dataset(write("\n".join(["# exported by R", "# v2, 2024", "path,label", *ROWS])))
    assert len(dataset.table) == 4
    assert "2 lines were skipped at the start of l.csv ('# exported by R')" in dataset.notes
    assert read_table(write("#,path,label\n1,a/1.png,x\n"), "")["#"].tolist() == ["1"]  # a column of numbers
    table = read_table(write("# exported by R\npath,label\n\na/1.png,x\n"), "")
    assert table.line(0) == 4 and column_names(write("# by R\npath,label\n")) == ("path", "label")


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("1", "2"), ("x/1", "x/2")])
def test_a_bare_name_or_number_is_looked_for_in_folders_below(tmp_path, save_png, names):
    for i in (1, 2, 3):
        save_png(tmp_path / "x" / f"{i}.png", i)
    save_png(tmp_path / "x" / "1 (Ada's conflicted copy 2026-01-01).png", 1)  # of a cloud, and no image of the set
    (tmp_path / "l.csv").write_text(f"id,label\n{names[0]},a\n{names[1]},b\n")
    dataset = load_dataset(tmp_path / "l.csv")
    assert dataset.table["path"].tolist() == ["x/1.png", "x/2.png"]
    assert any("otherwise than on disk (without the" in note for note in dataset.notes)
    assert "1 image beside those that l.csv lists, not in it: unused, e.g. x/3.png" in dataset.notes
    save_png(tmp_path / "y" / "1.png", 9)
    if "/" not in names[0]:  # which of the two is meant is not known
        with pytest.raises(BenchError):
            load_dataset(tmp_path / "l.csv")


def test_splits_are_spelled_as_folders_of_splits_are(write):
    rows = [f"{row},{split}" for row, split in zip(ROWS, ("Training", "validation", "TRAIN", "testing"), strict=True)]
    dataset = load_dataset(write("\n".join(["path,label,split", *rows])))
    assert dataset.table["split"].tolist() == ["train", "val", "train", "test"]


def test_a_column_with_no_more_values_than_classes_is_not_offered_as_groups(tmp_path, save_png):
    rows = []
    for i in range(8):
        save_png(tmp_path / f"{i}.png", i)
        rows.append(f"{i}.png,{'ab'[i % 2]},{i % 2},{i // 2}")
    (tmp_path / "l.csv").write_text("\n".join(["path,label,vacuole,slide", *rows]))
    [note] = [note for note in load_dataset(tmp_path / "l.csv").notes if "--group-column" in note]
    assert "slide" in note and "vacuole" not in note


def test_links_to_files_elsewhere_that_a_table_lists_are_read_where_links_are_followed(tmp_path, save_png):
    (tmp_path / "d" / "x").mkdir(parents=True)
    for i in range(4):
        target = save_png(tmp_path / "elsewhere" / f"{i}.png", i)
        (tmp_path / "d" / "x" / f"{i}.png").symlink_to(target)
    (tmp_path / "d" / "l.csv").write_text("path,label\n" + "".join(f"x/{i}.png,{'ab'[i % 2]}\n" for i in range(4)))
    dataset = load_dataset(tmp_path / "d" / "l.csv", reading=Reading(follow_links=True))
    assert len(dataset.table) == 4 and dataset.problems.empty
    with pytest.raises(BenchError, match="--follow-links"):
        load_dataset(tmp_path / "d" / "l.csv")
