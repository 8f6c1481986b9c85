"""Vectors in `.csv` and `.parquet` files: which columns are features, and what is said of the others."""

import numpy as np
import pandas as pd
import pytest

from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.source import load_data
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.errors import ConfigError, DataError

FLOWERS = """\
length,width,is_wild,species
1.5,2,True,iris
2.5,3,False,rose
3.5,4,True,iris
4.5,5,False,tulip
5.5,6,True,rose
6.5,7,False,iris
7.5,8,True,
8.5,9,False,rose
9.5,10,True,iris
10.5,11,False,tulip
"""


def load(path, **settings):
    return load_data("table", SourceSettings(path=str(path), **settings))


def rows_of(data):
    """All rows in the order in which their keys number them."""
    rows = {}
    for split in (data.train, data.test):
        rows |= {int(key.rpartition("[")[2][:-1]): x.tolist() for key, x in zip(split.keys, split.x, strict=True)}
    return [rows[number] for number in sorted(rows)]


@pytest.fixture(params=["csv", "parquet"])
def flowers(request, tmp_path):
    path = tmp_path / f"flowers.{request.param}"
    (tmp_path / "flowers.csv").write_text(FLOWERS)
    if request.param == "parquet":
        pd.read_csv(tmp_path / "flowers.csv").to_parquet(path, index=False)
    return path


def test_columns_are_features_and_one_holds_the_labels(flowers):
    data = load(flowers, target="species")
    assert rows_of(data) == [[1.5 + number, 2.0 + number, float(number % 2 == 0)] for number in range(10)]
    assert data.class_names == ("iris", "rose", "tulip")
    named = {
        key: label for split in (data.train, data.test) for key, label in zip(split.keys, split.labels, strict=True)
    }
    assert [int(named[f"{flowers.name}[{number}]"]) for number in range(10)] == [0, 1, 0, 2, 1, 0, -1, 1, 0, 2]
    assert data.notes == (
        "features: length, width, is_wild",
        "1 without a label",
        "test is a tenth of train, held out",
    )
    assert DataModule("table", path=str(flowers), target="species").dataset_name == "flowers"


def test_a_column_of_words_is_refused_by_name(flowers):
    message = r"flowers\.\w+: 1 column holds no numbers: species; data.target names a column of labels; take others out"
    with pytest.raises(DataError, match=message):
        load(flowers)


@pytest.mark.parametrize(
    ("column", "class_names", "labels"),
    [
        (["3", "10", "-1", ""], ("3", "10"), [0, 1, -1, -1]),
        (["3.0", "10.0", "-1", ""], ("3", "10"), [0, 1, -1, -1]),
        (["True", "False", "", "True"], ("0", "1"), [1, 0, -1, 1]),
        (["b", "10", "", "a"], ("10", "a", "b"), [2, 0, -1, 1]),
    ],
)
def test_labels_are_words_or_whole_numbers(tmp_path, column, class_names, labels):
    write(tmp_path / "train.csv", ["x,y", *(f"{number}.5,{value}" for number, value in enumerate(column))])
    write(tmp_path / "test.csv", ["x,y", f"1,{column[0]}"])
    data = load(tmp_path, target="y")
    assert data.class_names == class_names
    assert data.train.labels.tolist() == labels


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_category_is_a_class(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": pd.Categorical(["b", "a", "b", None])})
    frame.to_parquet(tmp_path / "train.parquet")
    frame.to_parquet(tmp_path / "test.parquet")
    data = load(tmp_path, target="y")
    assert (data.class_names, data.train.labels.tolist()) == (("a", "b"), [1, 0, 1, -1])


def test_numbers_that_are_no_classes_are_refused(tmp_path):
    path = write(tmp_path / "houses.csv", ["rooms,price", "3,1", "4,24.5", "5,30"])
    with pytest.raises(DataError) as caught:
        load(path, target="price")
    assert str(caught.value) == (
        "data.target: price holds 24.5, and labels are whole numbers or words; "
        "without data.target it is taken for a feature"
    )


def test_a_target_that_is_no_column_is_refused(flowers):
    with pytest.raises(ConfigError, match=r"data.target: 'specie' is not known; did you mean 'species'\?"):
        load(flowers, target="specie")


@pytest.fixture
def gaps(tmp_path):
    """Splits with values that are missing, as pandas writes them."""
    train = pd.DataFrame({"a": [1.0, np.nan, 5.0, 6.0], "b": [2.0, 4.0, np.nan, 9.0], "c": [1.0, 2.0, 4.0, 8.0]})
    test = pd.DataFrame({"a": [np.nan, 2.0], "b": [100.0, 200.0], "c": [1.0, np.nan]})
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_parquet(tmp_path / "test.parquet")
    return tmp_path


def test_missing_values_are_refused_by_name(gaps):
    with pytest.raises(DataError) as caught:
        load(gaps)
    assert str(caught.value) == (
        f"{gaps}: 4 values are missing: a (2), b (1), c (1); "
        "data.missing: mean puts the mean of the train split there, drop leaves such rows out"
    )


def test_missing_values_become_the_mean_of_the_train_split(gaps):
    data = load(gaps, missing="mean")
    assert data.train.x.tolist() == [[1, 2, 1], [4, 4, 2], [5, 5, 4], [6, 9, 8]]
    assert data.test.x.tolist() == [[4, 100, 1], [2, 200, 3.75]]
    assert data.notes[-1] == "4 missing values are means of train: a (2), b (1), c (1)"


def test_the_mean_is_not_taken_of_what_is_held_out(tmp_path):
    values = [*range(1, 20), 10_000]
    path = write(tmp_path / "x.csv", ["a,b", *(f"{value},{'' if value == 5 else value}" for value in values)])
    data = load(path, missing="mean")
    kept = [b for a, b in data.train.x.tolist() if a != 5]
    (filled,) = [b for split in (data.train, data.test) for a, b in split.x.tolist() if a == 5]
    assert filled == pytest.approx(np.mean(kept))


def test_rows_with_missing_values_are_left_out(gaps):
    with pytest.raises(DataError, match=r"data.missing: drop leaves no row of test"):
        load(gaps, missing="drop")
    pd.DataFrame({"a": [np.nan, 2.0], "b": [100.0, 200.0], "c": [1.0, 3.0]}).to_parquet(gaps / "test.parquet")
    data = load(gaps, missing="drop")
    assert data.train.x.tolist() == [[1, 2, 1], [6, 9, 8]]
    assert data.test.x.tolist() == [[2, 200, 3]]
    assert "left out: 2 of train, 1 of test, as values are missing" in data.notes


def test_a_column_without_any_value_has_no_mean(tmp_path):
    path = write(tmp_path / "x.csv", ["a,b", *(f"{number}," for number in range(12))])
    with pytest.raises(DataError, match="no row to train on has a value of b, of which there is no mean"):
        load(path, missing="mean")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_index_is_no_feature(tmp_path, suffix):
    frame = pd.DataFrame({"x": np.arange(12.0) * 2, "y": np.arange(12.0) * 3}, index=[f"gene {n}" for n in range(12)])
    path = tmp_path / f"genes.{suffix}"
    frame.to_csv(path) if suffix == "csv" else frame.to_parquet(path)
    data = load(path)
    assert data.train.shape == (2,)
    rows = {key: x.tolist() for split in (data.train, data.test) for key, x in zip(split.keys, split.x, strict=True)}
    assert rows["gene 5"] == [10, 15]
    what = "its first column, which has no name" if suffix == "csv" else "__index_level_0__"
    assert f"left out: the index ({what}), by which rows are called" in data.notes


@pytest.mark.parametrize("times", [1, 2])
def test_an_index_that_counts_is_left_out_alone(tmp_path, times):
    path = tmp_path / "x.csv"
    pd.DataFrame({"x": np.arange(12.0) * 2}).to_csv(path)
    if times == 2:
        pd.read_csv(path).to_csv(path, index=False)
    data = load(path)
    assert data.train.shape == (1,)
    assert data.test.keys[0].startswith("x.csv[")
    assert "left out: the index (its first column, which has no name)" in data.notes


def test_a_column_that_numbers_the_rows_is_told_of(tmp_path):
    path = write(tmp_path / "x.csv", ["id,x", *(f"{number},{number**2}" for number in range(1, 13))])
    assert "id numbers the rows, and is a feature" in load(path).notes


def test_files_that_are_called_after_splits(tmp_path):
    for name, num in (("Train", 4), ("valid", 2), ("test", 3)):
        write(tmp_path / f"{name}.csv", ["x,y", *(f"{num},{row**2 + 2}" for row in range(num))])
    (tmp_path / "README.md").write_text("no table")
    data = load(tmp_path)
    assert [len(split) for split in (data.train, data.val, data.test)] == [4, 2, 3]
    assert data.train.keys[3] == "train[3]"
    assert data.notes == ("splits: Train.csv (train), valid.csv (val), test.csv (test)", "features: x, y")
    named = load(tmp_path, splits={"train": "test.csv", "test": "Train.csv"})
    assert (len(named.train), named.val, len(named.test)) == (3, None, 4)


def test_columns_stand_in_any_order_and_a_test_split_may_have_no_labels(tmp_path):
    write(tmp_path / "train.csv", ["x,y,kind", "1,2,a", "3,4,b"])
    write(tmp_path / "test.csv", ["y,x", "6,5"])
    data = load(tmp_path, target="kind")
    assert (data.test.x.tolist(), data.test.labels.tolist()) == ([[5, 6]], [-1])
    assert "test has no labels, as it has no kind" in data.notes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"data.path: there is no .csv or .parquet file in "),
        (
            {"a.csv": "x\n1\n", "b.csv": "x\n1\n"},
            r"has a.csv, b.csv, which are not all called after splits; data.splits",
        ),
        (
            {"test.csv": "x\n1\n", "val.csv": "x\n1\n"},
            r"has test.csv, val.csv, and nothing to train on; data.splits: \{train: FILE",
        ),
        ({"train.csv": "x,y\n1,2\n", "test.csv": "x,z\n1,2\n"}, r"test.csv lacks y of train.csv"),
        ({"train.csv": "x\n1\n", "test.csv": "x,z\n1,2\n"}, r"test.csv has z beside the columns of train.csv"),
        ({"x.csv": "x,x\n1,2\n"}, r"x.csv: several columns are called 'x'"),
        ({"x.csv": "x,y\n"}, r"x.csv has no rows"),
        ({"x.csv": "5.1,3.5\n4.9,3.0\n"}, r"x.csv begins with numbers, where the names of its columns should be"),
        ({"x.csv": "x,y\n1,2\n3,4,5\n"}, r"x.csv cannot be read as .csv: .*Expected 2 columns, got 3"),
        ({"x.parquet": "no parquet"}, r"x.parquet cannot be read as .parquet: "),
        ({"x.csv": "x,y\n1,inf\n2,1e99\n"}, r"values are infinite or too large for 32 bits: y"),
        ({"x.csv": ""}, r"x.csv cannot be read as .csv: Empty CSV file"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_said(tmp_path, separator):
    rows = ["x,y", *(f"{number},{2 * number}" for number in range(3, 15))]
    path = write(tmp_path / "x.csv", [row.replace(",", separator) for row in rows])
    data = load(path)
    assert data.train.shape == (2,)
    assert f"separated by {'semicolons' if separator == ';' else 'tabs'}" in data.notes


def test_names_of_columns_may_be_numbers(tmp_path):
    path = tmp_path / "x.csv"
    pd.DataFrame(np.arange(30.0).reshape(10, 3)).to_csv(path, index=False)
    assert load(path).train.shape == (3,)


def test_a_byte_order_mark_and_quotes_are_no_part_of_names(tmp_path):
    rows = "".join(f'{number},"{number**2 + 3}",{"ab"[number % 2]}\n' for number in range(3, 15))
    path = tmp_path / "x.csv"
    path.write_text(f'"first, and so on",x,"y"\n{rows}', encoding="utf-8-sig")
    data = load(path, target="y")
    assert (data.feature_names, data.class_names) == (("first, and so on", "x"), ("a", "b"))
