"""Tables on disk: CSV and TSV (also compressed), Parquet, Feather; whole, or streamed in chunks."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as parquet

from goodfit.data.sniffing import COMPRESSIONS, TextFormat, existing, refuse_repeated, sniff
from goodfit.errors import DataError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab")
PARQUET_SUFFIXES = (".parquet", ".pq")
FEATHER_SUFFIXES = (".feather", ".arrow", ".ipc")
NULLS = ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "#N/A", "<NA>"]
BLOCK_BYTES = 1 << 24


def is_table(path: Path) -> bool:
    """Whether the suffix is one of a table.

    Example:
        >>> is_table(Path("sales.csv.gz"))
        True
    """
    return _suffix(path) in (*TEXT_SUFFIXES, *PARQUET_SUFFIXES, *FEATHER_SUFFIXES)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a whole table.

    Delimiter, encoding, header and decimal sign of a text table are found from its first lines.

    Args:
        path: CSV or TSV (also ``.gz``, ``.zst``, ``.bz2``), Parquet or Feather.

    Returns:
        A frame whose rows are numbered from 0.

    Raises:
        DataError: The file is missing, unreadable, empty, not text, ragged, or repeats a column name.
    """
    path = existing(Path(path))
    with _clear_errors(path):
        table = _whole(path)
    refuse_repeated(tuple(table.column_names), path.name)
    if table.num_rows == 0:
        raise _no_rows(path)
    return _frame(table)


def give_back_memory() -> None:
    """Let the system have what Arrow keeps of tables that are no longer needed: as much as the table was."""
    pa.default_memory_pool().release_unused()


def read_chunks(path: str | Path, *, rows: int = 100_000) -> Iterator[pd.DataFrame]:
    """Read a table piece by piece, in bounded memory.

    Args:
        path: As for :func:`read_table`.
        rows: The most rows of one piece.

    Yields:
        Frames, in the file's order; their row numbers go on from piece to piece.

    Raises:
        DataError: As for :func:`read_table`; a ragged row is met when its piece is read.
    """
    path = existing(Path(path))
    start = 0
    with _clear_errors(path):
        for batch in _batches(path, rows):
            for offset in range(0, batch.num_rows, rows):
                frame = _frame(batch.slice(offset, rows))
                frame.index = pd.RangeIndex(start, start + len(frame))
                start += len(frame)
                yield frame
    if start == 0:
        raise _no_rows(path)


def write_chunks(frames: Iterable[pd.DataFrame], path: str | Path) -> int:
    """Write frames one below the other as one CSV file that appears only when it is whole.

    The rows go to a temporary file beside it, which takes the name at the end.

    Args:
        frames: Frames with the same columns.
        path: The file to write; one that is there is replaced.

    Returns:
        The number of rows written.

    Raises:
        DataError: The folder is missing or cannot be written to.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}", fix="give a folder that exists"
        ) from error
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            num_rows = _append(frames, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return num_rows


def _append(frames: Iterable[pd.DataFrame], file: io.TextIOWrapper) -> int:
    num_rows = 0
    for frame in frames:
        frame.to_csv(file, index=False, header=num_rows == 0)
        num_rows += len(frame)
    return num_rows


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes] or [""]
    if suffixes[-1] in COMPRESSIONS and len(suffixes) > 1:
        return suffixes[-2]
    return suffixes[-1]


def _whole(path: Path) -> pa.Table:
    if _suffix(path) in PARQUET_SUFFIXES:
        return parquet.read_table(path)
    if _suffix(path) in FEATHER_SUFFIXES:
        return feather.read_table(path)
    written = sniff(path)
    try:
        # Left to guess all along, pyarrow keeps the whole text until the last row has been seen.
        table = _parse(path, written, column_types=_first_types(path, written))
    except pa.ArrowInvalid:
        table = _parse(path, written)
    if any(pa.types.is_binary(field.type) for field in table.schema):
        # The sample was UTF-8, a later byte is not: Latin-1 reads any byte.
        table = _parse(path, dataclasses.replace(written, encoding="latin-1"))
    return table


def _parse(
    path: Path, written: TextFormat, *, column_types: dict[str, pa.DataType] | None = None
) -> pa.Table:
    with pa.input_stream(str(path), compression=written.compression) as stream:
        return pacsv.read_csv(stream, **_options(written, column_types))


def _first_types(path: Path, written: TextFormat) -> dict[str, pa.DataType]:
    """Types of the columns in the first block; a column that is empty there is left out."""
    with (
        pa.input_stream(str(path), compression=written.compression) as stream,
        pacsv.open_csv(stream, **_options(written)) as reader,
    ):
        return {field.name: field.type for field in reader.schema if not pa.types.is_null(field.type)}


def _options(written: TextFormat, column_types: dict[str, pa.DataType] | None = None) -> dict[str, Any]:
    read = pacsv.ReadOptions(
        column_names=list(written.names),
        skip_rows_after_names=int(written.has_header),
        encoding=written.encoding.removesuffix("-sig"),
        block_size=BLOCK_BYTES,
    )
    parse = pacsv.ParseOptions(delimiter=written.delimiter, newlines_in_values=written.has_quotes)
    convert = pacsv.ConvertOptions(
        null_values=NULLS,
        strings_can_be_null=True,
        decimal_point=written.decimal,
        column_types=column_types,
    )
    return {"read_options": read, "parse_options": parse, "convert_options": convert}


def _batches(path: Path, rows: int) -> Iterator[pa.Table]:
    if _suffix(path) in PARQUET_SUFFIXES:
        yield from (pa.table(batch) for batch in parquet.ParquetFile(path).iter_batches(batch_size=rows))
    elif _suffix(path) in FEATHER_SUFFIXES:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            yield from (pa.table(reader.get_batch(place)) for place in range(reader.num_record_batches))
    else:
        yield from _text_batches(path, sniff(path))


def _text_batches(path: Path, written: TextFormat) -> Iterator[pa.Table]:
    """Read every field as bytes first: a type guessed from the first block need not hold for the second."""
    as_bytes = dict.fromkeys(written.names, pa.binary())
    with (
        pa.input_stream(str(path), compression=written.compression) as stream,
        pacsv.open_csv(stream, **_options(written, as_bytes)) as reader,
    ):
        for batch in reader:
            columns = [_narrow(column, written.decimal) for column in batch.columns]
            yield pa.table(columns, names=batch.schema.names)


def _narrow(column: pa.Array, decimal: str) -> pa.Array:
    column = _text(column)
    point = pc.replace_substring(column, ",", ".") if decimal == "," else column
    try:
        return pc.cast(point, pa.float64())
    except pa.ArrowInvalid:
        return column


def _text(column: pa.Array) -> pa.Array:
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:  # not UTF-8 after all
        cells = (None if cell is None else cell.decode("latin-1") for cell in column.to_pylist())
        return pa.array(cells, pa.string())


def _frame(table: pa.Table) -> pd.DataFrame:
    for place, field in enumerate(table.schema):
        if pa.types.is_time(field.type):  # pandas has no time of day; as text it is a category
            table = table.set_column(place, field.name, pc.cast(table.column(place), pa.string()))
    frame = table.to_pandas(date_as_object=False, split_blocks=True, self_destruct=True, ignore_metadata=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise _invalid(path, str(error)) from error
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", fix="check that the file is whole and readable"
        ) from error


def _invalid(path: Path, reason: str) -> DataError:
    if _suffix(path) in TEXT_SUFFIXES and "columns, got" in reason:
        written = sniff(path)
        row, width = _first_ragged(path, written)
        return DataError(
            f"row {row} of {path} has {width} fields, the first row has {len(written.names)}",
            fix="put quotes around fields that hold the delimiter, or mend the row",
        )
    return DataError(f"{path} cannot be read: {reason}", fix="check that the file is what its suffix says")


def _first_ragged(path: Path, written: TextFormat) -> tuple[int, int]:
    with (
        pa.input_stream(str(path), compression=written.compression) as stream,
        io.TextIOWrapper(stream, encoding=written.encoding, errors="replace", newline="") as text,
    ):
        for number, row in enumerate(csv.reader(text, delimiter=written.delimiter), start=1):
            if row and len(row) != len(written.names):
                return number, len(row)
    return 0, 0


def _no_rows(path: Path) -> DataError:
    return DataError(f"{path} has a header and no rows", fix="give a file with at least 20 rows")
