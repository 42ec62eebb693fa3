"""A folder of images, one folder a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from goodfit.data.arrays import Given
from goodfit.data.sniffing import existing
from goodfit.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
GREY = ("L", "1", "I", "I;16", "F")
PARTS = {
    "train": "main",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}


def is_image(path: Path) -> bool:
    """Whether the suffix is one of an image."""
    return path.suffix.lower() in SUFFIXES


def read_folder(folder: str | Path) -> dict[str, Given]:
    """Read a folder with one folder a class, or with ``train`` and ``test`` folders of such.

    Args:
        folder: The images are files in it, all of one size and mode.

    Returns:
        ``"main"``, and ``"test"`` and ``"validation"`` where they are given.

    Raises:
        DataError: There are no images or only one class, or a file is corrupt or differs in size or mode.
    """
    folder = existing(Path(folder))
    parts = {
        PARTS[entry.name]: entry
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and entry.name in PARTS
    }
    if "main" in parts:
        return {name: _labelled(entry) for name, entry in parts.items()}
    return {"main": _labelled(folder)}


def read_images(path: str | Path) -> np.ndarray:
    """Read one image, or every image under a folder in the order of their paths, for prediction."""
    path = existing(Path(path))
    files = [path] if path.is_file() else _files(path)
    if not files:
        raise DataError(f"{path} holds no image", fix=f"give files that end in {', '.join(SUFFIXES[:4])}")
    return _stack(files)


def _labelled(folder: Path) -> Given:
    classes = {entry.name: _files(entry) for entry in sorted(folder.iterdir()) if entry.is_dir()}
    classes = {label: files for label, files in classes.items() if files}
    if len(classes) < 2:
        raise DataError(
            f"{folder} holds {len(classes)} folders with images",
            fix="put the images of each class in a folder of its own",
        )
    labels = [label for label, files in classes.items() for _ in files]
    pixels = _stack([file for files in classes.values() for file in files])
    return Given(inputs=pixels, targets=pd.Series(labels, name="class"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path))


def _stack(files: list[Path]) -> np.ndarray:
    """Read files into one array ``(N, C, H, W)``, made once the first image says how large."""
    first = _pixels(files[0])
    stack = np.empty((len(files), *first.shape), dtype=np.uint8)
    for place, file in enumerate(files):
        pixels = first if place == 0 else _pixels(file)
        if pixels.shape != first.shape:
            raise DataError(
                f"{file} is {_said(pixels.shape)}, {files[0]} is {_said(first.shape)}",
                fix="bring all images to one size and one mode",
            )
        stack[place] = pixels
    return stack


def _pixels(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert(_mode(image)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is not a readable image: {error}", fix="mend or remove it") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _mode(image: Image.Image) -> str:
    """Grey, colour, or colour with transparency; palettes are resolved."""
    if image.mode in GREY:
        return "L"
    return "RGBA" if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info else "RGB"


def _said(shape: tuple[int, ...]) -> str:
    mode = {1: "grey", 3: "colour", 4: "colour with transparency"}[shape[0]]
    return f"{shape[2]} x {shape[1]} pixels, {mode}"
