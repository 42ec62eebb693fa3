"""Other ways to train what goodfit's stacks train: one network after the other, or K at once.

All of them get the data as tensors where they take it, the same batches in number and size, and Adam.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch
from sklearn.neural_network import MLPClassifier
from structures import LR, Case, plain_module
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import DataLoader, TensorDataset

from goodfit.data.split import Part, Split
from goodfit.engine.looks.evaluation import CURVE_ROWS, START_ROWS
from goodfit.nets.mlp import MLP


@dataclasses.dataclass(frozen=True, kw_only=True)
class Other:
    """One way.

    Attributes:
        name: As the table names it.
        train: Trains some networks and tells how many.
        package: What has to be installed; ``None`` if goodfit needs it anyway.
        only_mlp: Whether it knows multilayer networks only.
    """

    name: str
    train: Callable[[Case, Split], int]
    package: str | None = None
    only_mlp: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether it can be measured here."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def takes(self, case: Case) -> bool:
        """Whether it can train a structure."""
        return not self.only_mlp or isinstance(case.network, MLP)


def train_plainly(case: Case, split: Split, *, looks: bool = False) -> int:
    """Train some networks, one after the other, with nothing around the loop but perhaps looks at a curve."""
    x, y_N = tensors(case, split)
    for seed in range(case.references):
        torch.manual_seed(seed)
        model = plain_module(case)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
        for step, chosen_B in enumerate(batches(case)):
            if looks and step % (case.steps // case.epochs) == 0:
                look(model, case, split, rows=CURVE_ROWS if step else START_ROWS)
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(x[chosen_B]), y_N[chosen_B]).backward()
            optimizer.step()
        if looks:
            look(model, case, split, rows=CURVE_ROWS)
    return case.references


@torch.no_grad()
def look(model: nn.Module, case: Case, split: Split, *, rows: int) -> list[tuple[float, float]]:
    """Measure loss and accuracy on some rows of both parts, as for a learning curve."""
    model.eval()
    found = []
    for x, y_N in (tensors(case, split), tensors(case, split, part="validation")):
        scores_NO = model(x[:rows])
        loss = nn.functional.cross_entropy(scores_NO, y_N[:rows])
        found.append((float(loss), float((scores_NO.argmax(1) == y_N[:rows]).float().mean())))
    model.train()
    return found


def train_vmapped(case: Case, split: Split) -> int:
    """Train K networks as torch's tutorial on model ensembling does: stacked parameters and one vmap."""
    x, y_N = tensors(case, split)
    models = [plain_module(case).train() for _ in range(case.k)]
    parameters, buffers = stack_module_state(models)
    base, optimizer = models[0], torch.optim.Adam(parameters.values(), lr=LR, fused=True)

    def loss_of(own: dict[str, Tensor], own_buffers: dict[str, Tensor], rows_B: Tensor) -> Tensor:
        scores_BO = functional_call(base, (own, own_buffers), (x[rows_B],))
        return nn.functional.cross_entropy(scores_BO, y_N[rows_B])

    losses = vmap(loss_of, randomness="different")
    for chosen_KB in zip(*(batches(case) for _ in range(case.k)), strict=True):
        optimizer.zero_grad(set_to_none=True)
        losses(parameters, buffers, torch.stack(chosen_KB)).sum().backward()
        optimizer.step()
    return case.k


def train_modelbatch(case: Case, split: Split) -> int:
    """Train K networks by the package of that name, on batches that all of them share."""
    from modelbatch import ModelBatch
    from modelbatch.optimizer import OptimizerFactory

    x, y_N = tensors(case, split)
    batch = ModelBatch([plain_module(case) for _ in range(case.k)])
    optimizer = OptimizerFactory(torch.optim.Adam).create_optimizer(batch, [{"lr": LR}] * case.k)
    for chosen_B in batches(case):
        optimizer.zero_grad()
        batch.compute_loss(batch(x[chosen_B]), y_N[chosen_B], nn.functional.cross_entropy).backward()
        optimizer.step()
    return case.k


def train_by_sklearn(case: Case, split: Split) -> int:
    """Train one network by scikit-learn, for as many epochs whatever its loss does."""
    assert isinstance(case.network, MLP)
    x, y_N = tensors(case, split)
    model = MLPClassifier(
        case.network.widths, alpha=0.0, batch_size=case.batch, learning_rate_init=LR,
        max_iter=case.epochs, tol=0.0, n_iter_no_change=case.epochs + 1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged, and shall not
        model.fit(x.numpy(), y_N.numpy())
    return 1


def train_by_skorch(case: Case, split: Split) -> int:
    """Train one network by skorch, without its validation and its printing."""
    from skorch import NeuralNetClassifier

    x, y_N = tensors(case, split)
    model = NeuralNetClassifier(
        plain_module(case), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=LR, verbose=0,
        max_epochs=case.epochs, batch_size=case.batch, train_split=None, iterator_train__shuffle=True,
    )  # fmt: skip
    model.fit(x, y_N)
    return 1


def train_by_lightning(case: Case, split: Split) -> int:
    """Train one network by Lightning, without its logger, checkpoints and progress bar."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = plain_module(case)

        def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=LR)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    quiet: dict[str, Any] = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    rows = DataLoader(TensorDataset(*tensors(case, split)), batch_size=case.batch, shuffle=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants worker processes for the rows
        lightning.Trainer(max_epochs=case.epochs, accelerator="cpu", **quiet).fit(Module(), rows)
    return 1


OTHERS = (
    Other(name="torch.func vmap", train=train_vmapped),
    Other(name="modelbatch", train=train_modelbatch, package="modelbatch"),
    Other(name="scikit-learn", train=train_by_sklearn, only_mlp=True),
    Other(name="skorch", train=train_by_skorch, package="skorch"),
    Other(name="Lightning", train=train_by_lightning, package="lightning"),
)


def tensors(case: Case, split: Split, *, part: Part = "train") -> tuple[Tensor, Tensor]:
    """Give the rows of a part as the plain module takes them, and their classes."""
    rows = split.rows(part)
    return (rows.x.flatten(1) if isinstance(case.network, MLP) else rows.x), rows.y_N


def batches(case: Case) -> list[Tensor]:
    """Cut one shuffle for each epoch into full batches."""
    orders = [torch.randperm(case.rows) for _ in range(case.epochs)]
    return [
        order_N[start : start + case.batch]
        for order_N in orders
        for start in range(0, case.rows - case.batch + 1, case.batch)
    ]
