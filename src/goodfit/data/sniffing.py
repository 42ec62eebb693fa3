"""How a text table is written: encoding, delimiter, header, decimal sign; found from its first lines."""

from __future__ import annotations

import codecs
import collections
import csv
import dataclasses
import difflib
import io
from pathlib import Path

import pyarrow as pa

from goodfit.data.cells import EMPTY
from goodfit.errors import DataError

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 200
DELIMITERS = (",", ";", "\t", "|")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that no text holds; tab, newline, form feed and carriage return are not among them.
CONTROL_BYTES = bytes(set(range(32)) - {9, 10, 12, 13, 27})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFormat:
    """How a delimited text file is to be read.

    Attributes:
        names: Column names: from the header, or ``x0, x1, ...`` where there is none.
        has_header: Whether the first row holds the names.
        delimiter: The sign between two fields.
        encoding: Python's name of the text encoding.
        decimal: The decimal sign, ``"."`` or ``","``.
        has_quotes: Whether fields are quoted, and may then hold line breaks.
        compression: pyarrow's name of the compression, or ``None``.
    """

    names: tuple[str, ...]
    has_header: bool
    delimiter: str
    encoding: str
    decimal: str
    has_quotes: bool
    compression: str | None


def existing(path: Path) -> Path:
    """Return the path, or say which file of that folder was probably meant.

    Raises:
        DataError: Nothing is there.
    """
    if path.exists():
        return path
    neighbours = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, neighbours, n=1)
    raise DataError(
        f"{path} does not exist",
        fix=f"give {path.with_name(close[0])}, if that was meant" if close else "check the path",
    )


def sniff(path: Path) -> TextFormat:
    """Find out how a text table is written.

    Args:
        path: A CSV or TSV file, possibly compressed.

    Returns:
        Its format.

    Raises:
        DataError: The file is empty, unreadable or not text, has one column only, or repeats a column name.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    text, encoding = _decode(_first_bytes(path, compression), path)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty", fix="give a file with a header and at least 20 rows")
    delimiter = _delimiter(lines[:SAMPLE_ROWS], path)
    rows = _rows(text, delimiter)
    has_header = _is_header(rows[0], rows[1:])
    names = tuple(_name(cell, place) for place, cell in enumerate(rows[0], start=1))
    if not has_header:
        names = tuple(f"x{place}" for place in range(len(rows[0])))
    refuse_repeated(names, path.name)
    return TextFormat(
        names=names,
        has_header=has_header,
        delimiter=delimiter,
        encoding=encoding,
        decimal=_decimal(rows[1:], delimiter),
        has_quotes='"' in text,
        compression=compression,
    )


def refuse_repeated(names: tuple[str, ...], source: str) -> None:
    """Raise a :class:`DataError` that names the first column name used twice."""
    repeated = [name for name, count in collections.Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{source} has {names.count(repeated[0])} columns named {repeated[0]!r}",
            fix="give every column a name of its own",
        )


def _first_bytes(path: Path, compression: str | None) -> bytes:
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            return stream.read(SAMPLE_BYTES)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error}", fix="check that the file is whole and readable"
        ) from error


def _decode(sample: bytes, path: Path) -> tuple[str, str]:
    is_whole = len(sample) < SAMPLE_BYTES
    for mark, encoding in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return codecs.getincrementaldecoder(encoding)("replace").decode(sample, is_whole), encoding
    if len(sample.translate(None, CONTROL_BYTES)) < len(sample):
        raise DataError(
            f"{path} is not text: it holds control bytes", fix="give CSV, TSV, Parquet, Feather, .npz or .npy"
        )
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(sample, is_whole), "utf-8"
    except UnicodeDecodeError:
        return sample.decode("latin-1"), "latin-1"


def _delimiter(lines: list[str], path: Path) -> str:
    counts = {sign: _field_count(lines, sign) for sign in DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    share, fields = counts[best]
    if fields < 2 or share < 0.5:
        raise DataError(
            f"{path} has one column: no comma, semicolon, tab or bar parts its lines alike",
            fix="write it with commas between the fields",
        )
    return best


def _field_count(lines: list[str], sign: str) -> tuple[float, int]:
    """Share of lines with the usual number of fields (rounded: no odd line decides), and that number."""
    widths = collections.Counter(len(row) for row in csv.reader(lines, delimiter=sign) if row)
    if not widths:
        return 0.0, 0
    fields, num_lines = widths.most_common(1)[0]
    return (round(num_lines / widths.total(), 1), fields) if fields > 1 else (0.0, 1)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        if row:
            rows.append(row)
        if len(rows) > SAMPLE_ROWS:
            break
    return rows


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    cells = [cell.strip() for cell in first]
    if cells in ([str(i) for i in range(len(cells))], [str(i) for i in range(1, len(cells) + 1)]):
        return True
    columns = [[row[place].strip() for row in rest if place < len(row)] for place in range(len(cells))]
    if any(_names_numbers(cell, below) for cell, below in zip(cells, columns, strict=True)):
        return True
    if any(_is_number(cell) for cell in cells):
        return False
    # In a table of words alone, a first row whose cells come again below is data.
    return 2 * sum(cell in below for cell, below in zip(cells, columns, strict=True)) < len(cells)


def _names_numbers(cell: str, below: list[str]) -> bool:
    filled = [other for other in below if other.lower() not in EMPTY]
    is_word = cell.lower() not in EMPTY and not _is_number(cell)
    return is_word and len(filled) > 0 and sum(map(_is_number, filled)) > 0.9 * len(filled)


def _name(cell: str, place: int) -> str:
    return cell.strip() or f"column {place}"


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    with_comma = sum(cell.count(",") == 1 and _is_number(cell.replace(",", ".")) for cell in cells)
    with_point = sum("." in cell and _is_number(cell) for cell in cells)
    return "," if delimiter != "," and with_comma > with_point else "."


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
