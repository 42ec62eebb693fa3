import pytest
import torch

from goodfit.errors import RunFolderError
from goodfit.store.weights import load_weights, save_weights


def test_weights_come_back_exactly(tmp_path):
    members = [
        {"layers.0.weight": torch.randn(3, 2), "steps": torch.tensor(7), "empty": torch.zeros(0, 2)},
        {"layers.0.weight": torch.randn(3, 2, dtype=torch.float64)},
    ]
    save_weights(members, tmp_path / "w")
    back = load_weights(tmp_path / "w")
    assert [set(member) for member in back] == [set(member) for member in members]
    for one, other in zip(members, back, strict=True):
        for name, tensor in one.items():
            torch.testing.assert_close(other[name], tensor, rtol=0, atol=0)
            assert other[name].dtype == tensor.dtype


def test_members_may_share_memory_and_be_views(tmp_path):
    stack_KP = torch.arange(12.0).reshape(2, 6)
    members = [{"a": row_P[:4].view(2, 2).T, "b": row_P[2:]} for row_P in stack_KP]
    save_weights(members, tmp_path / "w")
    torch.testing.assert_close(load_weights(tmp_path / "w")[1]["a"], torch.tensor([[6.0, 8.0], [7.0, 9.0]]))


def test_ten_members_keep_their_order_and_names_may_hold_slashes(tmp_path):
    save_weights([{"a/b": torch.tensor([float(k)])} for k in range(12)], tmp_path / "w")
    assert [float(member["a/b"]) for member in load_weights(tmp_path / "w")] == list(range(12))


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "w"
    save_weights([{"a": torch.randn(50)}], path)
    whole = path.read_bytes()
    for length in (0, 4, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFolderError, match="no readable weights"):
            load_weights(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="no readable weights"):
        load_weights(tmp_path / "absent")
