from __future__ import annotations

import pytest

from goodfit.errors import ModelError
from goodfit.interop.script.excerpt import defined, excerpt

FILE = '''#!/usr/bin/env python
"""A script that trains."""
from __future__ import annotations

import os, torch
import goodfit
from torch import nn, Tensor

torch.manual_seed(0)
CONFIG = {"width": 3}
CONFIG["depth"] = 2
CONFIG.update(width=5)
UNUSED = os.environ
try:
    from fast import Layer
except ImportError:
    Layer = nn.Linear


# what one block is
# made of
@torch.no_grad
class Block(nn.Module):
    size = CONFIG["width"]


def make():
    return Block(Layer(2, 2))


fitted = goodfit.fit(None, model=make)
if __name__ == "__main__":
    print(fitted)
'''


def test_what_is_needed_comes_along_and_nothing_that_runs():
    text = excerpt(FILE, ["make"])
    assert text.splitlines()[0] == "import torch"
    for line in (
        "from torch import nn",
        'CONFIG["depth"] = 2',
        "CONFIG.update(width=5)",
        "    Layer = nn.Linear",
    ):
        assert line in text.splitlines()
    assert "# what one block is\n# made of\n@torch.no_grad\nclass Block" in text
    for word in ("goodfit", "manual_seed", "UNUSED", "os", "Tensor", "__main__", "#!"):
        assert word not in text.replace("osi", "")
    assert defined(text) == {"CONFIG", "Layer", "Block", "make"}


def test_names_of_other_files_are_passed_over_and_nothing_needs_nothing():
    assert excerpt(FILE, ["absent"]) == ""
    assert excerpt(FILE, ["CONFIG", "absent"]).startswith("CONFIG = ")


def test_what_needs_goodfit_is_refused():
    with pytest.raises(ModelError, match=r"what is needed of net\.py uses goodfit"):
        excerpt(FILE, ["fitted"], file="net.py")
