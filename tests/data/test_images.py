"""Folders of images, and every way in which they can be wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from goodfit.data.images import read_folder, read_images
from goodfit.errors import DataError


def paint(path: Path, *, size: tuple[int, int] = (6, 5), mode: str = "L", shade: int = 9) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, shade if mode == "L" else (shade,) * len(mode)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in range(6):
        paint(tmp_path / "cat" / f"{place}.png", shade=place)
        paint(tmp_path / "dog" / f"{place}.png", shade=100 + place)
    return tmp_path


def test_each_folder_is_a_class(folder: Path):
    (folder / "dog" / "notes.txt").write_text("not an image")
    part = read_folder(folder)["main"]
    assert part.inputs.shape == (12, 1, 5, 6)
    assert part.inputs[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105]
    assert part.targets.tolist() == ["cat"] * 6 + ["dog"] * 6


def test_train_and_test_folders_are_parts(tmp_path: Path):
    for part in ("train", "test"):
        for pet in ("cat", "dog"):
            paint(tmp_path / part / pet / "a.png")
    assert sorted(read_folder(tmp_path)) == ["main", "test"]


def test_colour_images_have_three_channels(tmp_path: Path):
    for pet in ("cat", "dog"):
        paint(tmp_path / pet / "a.png", mode="RGB")
    assert read_folder(tmp_path)["main"].inputs.shape == (2, 3, 5, 6)


def test_a_corrupt_file_is_named(folder: Path):
    (folder / "cat" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"3\.png is not a readable image"):
        read_folder(folder)


def test_a_cut_file_is_named(folder: Path):
    noise = np.random.default_rng(0).integers(0, 256, (5, 6)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "cat" / "3.png")
    content = (folder / "cat" / "3.png").read_bytes()
    (folder / "cat" / "3.png").write_bytes(content[: len(content) - 40])
    with pytest.raises(DataError, match=r"3\.png is not a readable image"):
        read_folder(folder)


def test_a_file_of_another_size_is_named(folder: Path):
    paint(folder / "dog" / "2.png", size=(7, 5))
    with pytest.raises(DataError, match=r"2\.png is 7 x 5 pixels, grey, .*0\.png is 6 x 5 pixels, grey"):
        read_folder(folder)


def test_a_file_of_another_mode_is_named(folder: Path):
    paint(folder / "dog" / "2.png", mode="RGB")
    with pytest.raises(DataError, match=r"2\.png is 6 x 5 pixels, colour"):
        read_folder(folder)


def test_fewer_than_two_classes_are_refused(tmp_path: Path):
    paint(tmp_path / "cat" / "a.png")
    with pytest.raises(DataError, match="holds 1 folders with images"):
        read_folder(tmp_path)


def test_images_to_predict_are_one_file_or_a_folder(folder: Path):
    assert read_images(folder / "cat" / "2.png")[0, 0, 0, 0] == 2
    assert len(read_images(folder)) == 12
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        read_images(folder / "empty")
    with pytest.raises(DataError, match="does not exist"):
        read_images(folder / "bird")
