"""Tables on disk: whatever way they are written, the same rows come out; what cannot be read is said."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goodfit.data.synthetic import mixed_table
from goodfit.data.tables import is_table, read_chunks, read_table, write_chunks
from goodfit.errors import DataError


def words(frame: pd.DataFrame) -> list[list[str]]:
    return frame.astype(object).where(frame.notna(), "").map(str).to_numpy().tolist()


def plain() -> pd.DataFrame:
    return mixed_table(60).drop(columns="joined")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_delimiter_and_encoding_gives_the_same_table(tmp_path: Path, delimiter: str, encoding: str):
    frame = plain().assign(country=["Zürich", "Évora"] * 30)
    frame.to_csv(tmp_path / "table.csv", sep=delimiter, encoding=encoding, index=False)
    read = read_table(tmp_path / "table.csv")
    assert list(read.columns) == list(frame.columns)
    assert read["country"].tolist() == frame["country"].tolist()
    np.testing.assert_allclose(read["age"], frame["age"])


def test_compressed_tables_are_read_like_plain_ones(tmp_path: Path):
    text = plain().to_csv(index=False).encode()
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "a.csv.zst").write_bytes(zstandard.compress(text))
    whole = words(read_table(tmp_path / "a.csv"))
    assert words(read_table(tmp_path / "a.csv.gz")) == whole
    assert words(read_table(tmp_path / "a.csv.zst")) == whole


def test_parquet_and_feather_keep_their_types(tmp_path: Path):
    frame = mixed_table(60).assign(colour=lambda table: table["colour"].astype("category"))
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        read = read_table(tmp_path / name)
        assert isinstance(read["colour"].dtype, pd.CategoricalDtype)
        assert read["joined"].tolist() == frame["joined"].tolist()


def test_a_table_without_header_gets_names(tmp_path: Path):
    pd.DataFrame(np.eye(4)).to_csv(tmp_path / "a.csv", index=False, header=False)
    read = read_table(tmp_path / "a.csv")
    assert list(read.columns) == ["x0", "x1", "x2", "x3"]
    assert len(read) == 4


def test_a_table_of_words_without_header_loses_no_row(tmp_path: Path):
    (tmp_path / "a.csv").write_text("red,cat\nblue,dog\nred,dog\n")
    assert len(read_table(tmp_path / "a.csv")) == 3


def test_a_header_of_words_over_words_is_a_header(tmp_path: Path):
    (tmp_path / "a.csv").write_text("colour,pet\nblue,dog\nred,dog\n")
    assert list(read_table(tmp_path / "a.csv").columns) == ["colour", "pet"]


def test_a_header_that_counts_the_columns_is_a_header(tmp_path: Path):
    pd.DataFrame(np.full((3, 2), 0.5)).to_csv(tmp_path / "a.csv", index=False)
    assert list(read_table(tmp_path / "a.csv").columns) == ["0", "1"]


def test_a_header_whose_name_is_also_a_value_is_a_header(tmp_path: Path):
    (tmp_path / "a.csv").write_text("size,c\n1,a\n?,b\n3,c\n")
    assert list(read_table(tmp_path / "a.csv").columns) == ["size", "c"]


def test_years_may_be_names(tmp_path: Path):
    (tmp_path / "a.csv").write_text("price,2019,2020\n1,2,3\n4,5,6\n")
    assert list(read_table(tmp_path / "a.csv").columns) == ["price", "2019", "2020"]


def test_a_missing_first_cell_is_no_name(tmp_path: Path):
    (tmp_path / "a.csv").write_text("?,2,3\n4,5,6\n7,8,9\n")
    assert len(read_table(tmp_path / "a.csv")) == 3


def test_decimal_commas_are_numbers(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a;b\n" + "3,5;x\n-0,25;y\n" * 5)
    assert read_table(tmp_path / "a.csv")["a"].tolist()[:2] == [3.5, -0.25]
    assert next(read_chunks(tmp_path / "a.csv"))["a"].tolist()[:2] == [3.5, -0.25]


def test_quoted_fields_may_hold_delimiters_and_line_breaks(tmp_path: Path):
    (tmp_path / "a.csv").write_text('a,b\n1,"two, and\na half"\n3,"four ""4"""\n')
    assert read_table(tmp_path / "a.csv")["b"].tolist() == ["two, and\na half", 'four "4"']


def test_a_late_byte_that_is_not_utf8_is_read_as_latin1(tmp_path: Path):
    lines = b"a,b\n" + b"1,plain\n" * 200_000 + "2,caf\u00e9\n".encode("latin-1")
    (tmp_path / "a.csv").write_bytes(lines)
    assert read_table(tmp_path / "a.csv")["b"].iloc[-1] == "café"
    assert list(read_chunks(tmp_path / "a.csv"))[-1]["b"].iloc[-1] == "café"


def test_chunks_are_the_whole_in_order(tmp_path: Path):
    mixed_table(500).to_csv(tmp_path / "a.csv", index=False)
    mixed_table(500).to_parquet(tmp_path / "a.parquet")
    mixed_table(500).to_feather(tmp_path / "a.feather")
    for name in ("a.csv", "a.parquet", "a.feather"):
        chunks = list(read_chunks(tmp_path / name, rows=64))
        joined = pd.concat(chunks)
        assert max(map(len, chunks)) <= 64
        assert joined.index.tolist() == list(range(500))
        assert joined["comment"].tolist() == mixed_table(500)["comment"].tolist()
        np.testing.assert_allclose(joined["income"], mixed_table(500)["income"])


def test_a_type_that_changes_late_does_not_stop_the_stream(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 100 + "word,2\n")
    assert pd.concat(read_chunks(tmp_path / "a.csv", rows=10))["a"].iloc[-1] == "word"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False, width=32), st.text("abcdefg ,;\"'é", min_size=1)
        ),
        min_size=2,
        max_size=30,
    )
)
def test_what_pandas_writes_is_what_we_read(tmp_path: Path, rows: list[tuple[float, str]]):
    frame = pd.DataFrame(rows, columns=["number", "some words"])
    frame["some words"] += "!"
    frame.to_csv(tmp_path / "a.csv", index=False)
    read = read_table(tmp_path / "a.csv")
    np.testing.assert_array_equal(read["number"], frame["number"])
    assert read["some words"].tolist() == frame["some words"].tolist()


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as whole:
        read_table(path)
    with pytest.raises(DataError):
        list(read_chunks(path))
    assert whole.value.fix
    return whole.value


def test_a_missing_file_names_its_neighbour(tmp_path: Path):
    (tmp_path / "sales.csv").write_text("a,b\n1,2\n")
    error = refusal(tmp_path / "sale.csv")
    assert "does not exist" in error.message
    assert "sales.csv" in error.fix


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (b"a,b,c\n", "no rows"),
        (b"a,b\n1,2\n3\n4,5\n", "row 3 of"),
        (b"a,b\n1,2\n3,4,5\n4,5\n", "has 3 fields, the first row has 2"),
        (bytes(range(256)) * 20, "not text"),
        (b"a,b,a\n1,2,3\n", "2 columns named 'a'"),
        (b"a:b\n1:2\n3:4\n", "one column"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes, said: str):
    (tmp_path / "a.csv").write_bytes(content)
    assert said in refusal(tmp_path / "a.csv").message


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.parquet", "a.feather"])
def test_a_damaged_file_is_said(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"this is nothing of the kind" * 10)
    assert "cannot be read" in refusal(tmp_path / name).message


def test_a_cut_compressed_file_is_said(tmp_path: Path):
    packed = gzip.compress(mixed_table(20_000).to_csv(index=False).encode())
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert str(tmp_path) in refusal(tmp_path / "a.csv.gz").message


def test_suffixes_say_what_a_table_is():
    assert is_table(Path("a.CSV"))
    assert is_table(Path("a.tsv.zst"))
    assert not is_table(Path("a.xlsx"))
    assert not is_table(Path("a.gz"))


def test_written_chunks_read_back_as_one_table(tmp_path: Path):
    frame = pd.DataFrame({"prediction": ["a, b", 'c"', "é"] * 10, "probability": np.linspace(0, 1, 30)})
    assert write_chunks((frame.iloc[i : i + 7] for i in range(0, 30, 7)), tmp_path / "out.csv") == 30
    assert read_table(tmp_path / "out.csv")["prediction"].tolist() == frame["prediction"].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    (tmp_path / "out.csv").write_text("old")

    def frames():
        yield pd.DataFrame({"a": [1]})
        raise DataError("row 2 is broken", fix="mend it")

    with pytest.raises(DataError, match="row 2"):
        write_chunks(frames(), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be written"):
        write_chunks([pd.DataFrame({"a": [1]})], tmp_path / "nowhere" / "out.csv")
