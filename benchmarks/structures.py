"""The structures that the benchmarks of the engine train, and the data they train them on."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from torch import Tensor, nn

from goodfit.data.arrays import pair
from goodfit.data.assembly import Wishes, assemble
from goodfit.data.split import Split
from goodfit.data.splits import Division
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network, Sizes
from goodfit.rules.base import rule_named

LR = 1e-3
NUM_VALIDATION = 512
WORDS, LETTERS = 16, 8
"""Inputs of the LSTM and the Transformer layer: so many words of so many numbers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        network: The hidden part of the structure.
        inputs: Shape of one row of data.
        outputs: Number of classes.
        batch: Rows of a step.
        k: Networks side by side.
        rows: Training rows.
        epochs: Passes over them.
        target: Least ratio that is asked for.
        references: Networks that the plain loop trains, one after the other.
        label: The structure in words, where it is not the package's own.
        is_longer: Whether it is another case trained for longer: other packages are not timed again.
    """

    network: Network
    inputs: tuple[int, ...]
    outputs: int
    batch: int
    k: int
    rows: int = 8192
    epochs: int = 4
    target: float
    references: int = 1
    label: str = ""
    is_longer: bool = False

    @property
    def sizes(self) -> Sizes:
        """Sizes of the network's ends."""
        return Sizes(inputs=self.inputs, outputs=self.outputs)

    @property
    def name(self) -> str:
        """The structure in a few words."""
        if self.label:
            return self.label
        if isinstance(self.network, MLP):
            return "-".join(map(str, (int(np.prod(self.inputs)), *self.network.widths, self.outputs)))
        return self.network.describe(self.sizes)

    @property
    def steps(self) -> int:
        """Steps of one training."""
        return self.rows // self.batch * self.epochs


class Recurrent(nn.Module):
    """An LSTM, and a linear layer on its last word."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(LETTERS, 32, batch_first=True)
        self.output = nn.Linear(32, outputs)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Compute raw scores."""
        words, _ = self.lstm(x_ND.view(-1, WORDS, LETTERS))
        scores: Tensor = self.output(words[:, -1])
        return scores


class Attentive(nn.Module):
    """A Transformer layer with torch's own dropout, and a linear layer on the mean of its words."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.words = nn.Linear(LETTERS, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.output = nn.Linear(32, outputs)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Compute raw scores."""
        words = self.layer(self.words(x_ND.view(-1, WORDS, LETTERS)))
        scores: Tensor = self.output(words.mean(1))
        return scores


def on_words(factory: type[nn.Module], name: str) -> Case:
    """Train a network of 32 units that reads words."""
    return Case(
        network=Given(factory=factory),
        inputs=(WORDS * LETTERS,),
        outputs=10,
        batch=32,
        k=8,
        epochs=1,
        target=0.97,
        label=f"{name} 32 on {WORDS} x {LETTERS}",
    )


SMALL = MLP(widths=(32, 32))
LARGE = MLP(widths=(512,) * 3)
CONVOLVING = CNN(channels=(8, 16), widths=(32,))
IMAGE = (1, 28, 28)
NARROW = Case(network=MLP(widths=(64,) * 2), inputs=(64,), outputs=10, batch=64, k=64, target=7, references=4)
WIDER = Case(
    network=MLP(widths=(128,) * 3), inputs=(64,), outputs=10, batch=128, k=32, target=1.8, references=4
)
WIDE = Case(
    network=LARGE, inputs=IMAGE, outputs=10, batch=256, k=16, target=1, rows=16384, epochs=1, references=4
)


def longer(case: Case, epochs: int) -> Case:
    """The same, trained for longer: the looks at its beginning and end weigh less."""
    return dataclasses.replace(case, epochs=epochs, is_longer=True)


CASES: tuple[Case, ...] = (
    Case(network=SMALL, inputs=(30,), outputs=2, batch=32, k=64, target=20, references=2),
    NARROW,
    longer(NARROW, 16),
    WIDER,
    longer(WIDER, 16),
    WIDE,
    longer(WIDE, 4),
    Case(network=CONVOLVING, inputs=IMAGE, outputs=10, batch=64, k=8, target=0.97, rows=16384, epochs=1),
    on_words(Recurrent, "LSTM"),
    on_words(Attentive, "Transformer layer"),
    Case(network=SMALL, inputs=(30,), outputs=2, batch=32, k=1, target=1 / 1.05),
)


def make_split(case: Case) -> Split:
    """Make clouds of normal numbers, one for each class."""
    generator = np.random.default_rng(0)
    total = case.rows + NUM_VALIDATION + 32
    y_N = generator.integers(case.outputs, size=total)
    inputs = case.inputs[1:] if len(case.inputs) == 3 else case.inputs
    centres = generator.normal(size=(case.outputs, *inputs))
    x = (centres[y_N] + 2 * generator.normal(size=(total, *inputs))).astype(np.float32)
    places = np.split(np.arange(total), [case.rows, case.rows + NUM_VALIDATION])
    division = Division(train=places[0], validation=places[1], test=places[2])
    return assemble(pair(x, y_N), Wishes(task="classes"), name="clouds", kind="arrays", division=division)


def plan_of(case: Case) -> Plan:
    """Cross-entropy and Adam, as in the plain loop."""
    return Plan(
        network=case.network,
        loss=Loss(name="cross-entropy", kind="classes", num_outputs=case.outputs),
        rule=rule_named("adam", lr=LR),
        epochs=case.epochs,
        batch_size=case.batch,
    )


def plain_module(case: Case) -> nn.Module:
    """Build what a person would write; beside multilayer networks that is what goodfit trains."""
    if not isinstance(case.network, MLP):
        return case.network.build(case.sizes)
    widths = (int(np.prod(case.inputs)), *case.network.widths)
    hidden = [[nn.Linear(*ends), nn.ReLU()] for ends in itertools.pairwise(widths)]
    return nn.Sequential(*itertools.chain(*hidden), nn.Linear(widths[-1], case.outputs))


def shortened(case: Case) -> Case:
    """Take a quarter of the steps or an eighth, and one network of the reference."""
    if case.epochs > 1:
        return dataclasses.replace(case, epochs=case.epochs // 4, references=1)
    return dataclasses.replace(case, rows=case.rows // 8, references=1)
