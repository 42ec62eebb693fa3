"""A network that the user brings: a function that makes an ``nn.Module``."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from goodfit.errors import ModelError
from goodfit.forms import Form
from goodfit.nets import reshaping, surgery
from goodfit.nets.adapter import Adapter, CodesAsInputs, scores_in
from goodfit.nets.calls import as_modules
from goodfit.nets.factory import load
from goodfit.nets.initialisation import Initialisation
from goodfit.nets.making import check_apart, check_output, made_by, run_once, tried
from goodfit.nets.network import Network, Sizes, trial_batch
from goodfit.nets.prototype import Prototype, prototype_of, surgery_on


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(Network):
    """The user's own network.

    The function is called with as many of (inputs, outputs) as it takes: the number of inputs for flat
    data or ``(C, H, W)`` for images, and the number of raw scores. Columns of codes reach the module as
    0 and 1 behind the other inputs, one for each code, since it cannot be known to embed them.

    Attributes:
        factory: ``"FILE.py:FUNCTION"``, ``"package.module:FUNCTION"``, or the function or class itself.
        form: What a row is made of, where it is more than one input of float32, or where a row has several
            targets; ``None`` where the module takes rows as they are and returns ``(N, outputs)``.
        activation: Put in place of every hidden activation; ``None`` leaves the user's own. Maxout gives the
            layers before it its pieces.
        pieces: Pieces of a Maxout unit.
        initialisation: How linear and convolutional weights start; ``None`` leaves it to the user's function.
            Layers that start alike in every call, such as pretrained ones, and frozen ones keep theirs.
        normalisation: ``"batch"`` or ``"layer"`` before hidden activations that have none, or ``"none"``.
        skip: Whether a layer's input is added to its output, where both have one shape.
        widening: Width of hidden layers over what the user's function makes.
        deepening: Layers added behind the last hidden activation.
        plain_output: Whether an activation or softmax behind the last layer is taken off.
        output_scale: Mean and deviation of the targets that the last layer's outputs are brought to, each one
            for each output; ``None`` leaves them as they are.

    Example:
        >>> network = Given(factory=lambda inputs, outputs: nn.Linear(inputs, outputs))
        >>> network.count(Sizes(inputs=(4,), outputs=3))
        15
    """

    kind: ClassVar[str] = "given"

    factory: str | Callable[..., nn.Module]
    form: Form | None = None
    activation: str | None = None
    pieces: int = 2
    initialisation: Initialisation | None = None
    normalisation: Literal["none", "batch", "layer"] = "none"
    skip: bool = False
    widening: float = 1.0
    deepening: int = 0
    plain_output: bool = False
    output_scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def build(self, sizes: Sizes, *, dropout: float = 0.0, input_dropout: float = 0.0) -> nn.Module:
        """Make a fresh module, with the edits that were asked for (see :mod:`goodfit.nets.surgery`).

        The function is called twice. The second module proves that the first is fresh, is run on a batch
        of two rows, and is thrown away. Rates of 0 leave the module's own dropout as it is.

        Raises:
            ModelError: The function is missing or raises, or its module is none, is not fresh, has no
                parameters that learn, cannot be run, has another number of outputs, or has no activation
                for an edit to reach.
        """
        module = self._edited(sizes, dropout=dropout)
        return surgery.set_input_dropout(module, input_dropout).module if input_dropout else module

    def returned(self) -> tuple[tuple[int, ...], bool]:
        """Ask a network of rows of :attr:`form` for the shape in which it returns the scores of one.

        Returns:
            The shape, and whether the scores are all that it returns.

        Raises:
            ModelError: It cannot be made or run, or returns several outputs.
        """
        assert self.form is not None
        sizes = Sizes(inputs=self.form.input_shape, outputs=self.form.told)
        with torch.random.fork_rng(devices=[]):
            module = self._fresh(self._function(), sizes)
            assert isinstance(module, Adapter)
            outputs = tried(module, module.outputs, sizes)
            return tuple(scores_in(outputs).shape[1:]), isinstance(outputs, Tensor)

    def hidden_activations(self, sizes: Sizes) -> tuple[str, ...]:
        """Name the activations that edits can reach; without any, do not offer activations or dropout."""
        with torch.random.fork_rng(devices=[]):
            return surgery.hidden_activations(self._make(sizes), example=trial_batch(sizes))

    def edits(self, sizes: Sizes, *, dropout: float = 0.0) -> str:
        """Show every edit as a difference of the printed module, with what could not be reached below it."""
        done = self.steps(sizes, dropout=dropout)
        return "\n".join(edit.diff for edit in done if edit.changed or edit.unreached)

    def steps(self, sizes: Sizes, *, dropout: float = 0.0) -> tuple[surgery.Edited, ...]:
        """Make the edits one after the other, each on what the one before it left; empty without any."""
        with torch.random.fork_rng(devices=[]):
            done: list[surgery.Edited] = []
            self._edited(sizes, dropout=dropout, done=done)
        return tuple(done)

    def reachable(self, sizes: Sizes, *, among: Collection[str] | None = None) -> frozenset[str]:
        """Name the fields that would change something if they were set, ``"dropout"`` among them.

        Args:
            sizes: Of inputs and outputs.
            among: Fields to try; by default all.
        """
        with torch.random.fork_rng(devices=[]):
            module, example = self._make(sizes), trial_batch(sizes)
            tried: dict[str, Callable[[], surgery.Edited]] = {
                "maxout": lambda: reshaping.put_maxout(module, example=example),
                "dropout": lambda: surgery.set_dropout(module, 0.123, example=example),
                "normalisation batch": lambda: reshaping.normalise(module, "batch", example=example),
                "normalisation layer": lambda: reshaping.normalise(module, "layer", example=example),
                "skip": lambda: reshaping.skip(module, example=example),
                "widening": lambda: reshaping.widen(module, 2.0, example=example),
                "deepening": lambda: reshaping.deepen(module, example=example),
                "plain_output": lambda: reshaping.without_last_activation(module, example=example),
                "output_scale": lambda: reshaping.scale_outputs(
                    module, [0.0] * sizes.outputs, [1.0] * sizes.outputs, example=example
                ),
            }
            found = {
                name for name, edit in tried.items() if (among is None or name in among) and edit().changed
            }
            if surgery.hidden_activations(module, example=example):
                found.add("activation")
            return frozenset(found)

    def unreached(self, sizes: Sizes) -> tuple[str, ...]:
        """Say which functions that ``forward`` calls could not be made modules, with the reason."""
        with torch.random.fork_rng(devices=[]):
            return as_modules(self._make(sizes), example=trial_batch(sizes)).unreached

    def _make(self, sizes: Sizes) -> nn.Module:
        make = self._function()
        module = self._fresh(make, sizes)
        with torch.random.fork_rng(devices=[]):
            twin = self._fresh(make, sizes)
            check_apart(module, twin)
            check_output(twin, sizes)
        if any(is_lazy(parameter) for parameter in module.parameters()):
            run_once(module, sizes)  # a lazy layer learns its width from its first batch
        return module

    def _edited(self, sizes: Sizes, *, dropout: float, done: list[surgery.Edited] | None = None) -> nn.Module:
        module = self._make(sizes)
        if not self._has_edits and not dropout:
            return module
        if (self.activation or dropout) and not _has_hidden_activations(self.factory, self.form, sizes):
            raise ModelError(
                f"{self._name} has no hidden activation in reach, so none can be swapped or dropped",
                fix="use modules such as nn.ReLU() between its layers where forward cannot be traced",
            )
        if done is None:
            prototype = _prototype(self, sizes, dropout)
            if prototype is not None:
                return prototype.filled_by(module)
        for edit in self._surgery(module, sizes, dropout=dropout):
            edited = edit(module)
            module = edited.module
            if done is not None:
                done.append(edited)
        return module

    def _surgery(
        self, module: nn.Module, sizes: Sizes, *, dropout: float
    ) -> Iterator[Callable[[nn.Module], surgery.Edited]]:
        kept = self._alike(module, sizes) if self.initialisation else frozenset()
        return surgery_on(self, dropout=dropout, kept=kept, example=trial_batch(sizes))

    @property
    def _has_edits(self) -> bool:
        return self != Given(factory=self.factory, form=self.form, pieces=self.pieces)

    def prototype(self, sizes: Sizes, *, dropout: float) -> Prototype | None:
        """Edit one network for all seeds; ``None`` where each has to be edited by itself."""
        with torch.random.fork_rng(devices=[]):
            modules = (self._make(sizes), self._make(sizes))
            kept = self._alike(modules[0], sizes) if self.initialisation else frozenset()
            example = trial_batch(sizes)
            return prototype_of(self, modules, dropout=dropout, kept=kept, example=example)

    def _alike(self, module: nn.Module, sizes: Sizes) -> frozenset[str]:
        """Name the layers that start with the same weights in every call: somebody has trained them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0x600DF17)
            other = self._fresh(self._function(), sizes)
            if any(is_lazy(parameter) for parameter in other.parameters()):
                run_once(other, sizes)
        twin = dict(other.named_parameters())
        return frozenset(
            name.removesuffix(".weight")
            for name, parameter in module.named_parameters()
            if name.endswith("weight") and torch.equal(parameter, twin[name])
        )

    def describe(self, sizes: Sizes | None = None) -> str:
        """Say the structure in a few words."""
        words = self._name.rpartition(":")[2]
        if sizes is not None:
            words = f"{'x'.join(map(str, sizes.inputs))}-{words}-{sizes.outputs}"
        edits = [
            self.activation,
            self.initialisation and f"{self.initialisation} start",
            self.normalisation != "none" and f"{self.normalisation} norm",
            self.skip and "skips",
            self.widening != 1 and f"{self.widening:g} times as wide",
            self.deepening and f"{self.deepening} more layers",
            self.plain_output and "plain output",
            self.output_scale is not None and "outputs scaled to the targets",
        ]
        return ", ".join([f"{words} (given)", *(edit for edit in edits if edit)])

    def to_dict(self) -> dict[str, Any]:
        """Write where the function can be found; one made on the spot cannot be loaded again."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        form = None if self.form is None else self.form.to_dict()
        return {"kind": self.kind, **fields, "factory": self._name, "form": form}

    @property
    def _name(self) -> str:
        if isinstance(self.factory, str):
            return self.factory
        function = inspect.unwrap(self.factory)
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return f"{getattr(function, '__module__', None)}:{name}"

    def _function(self) -> Callable[..., nn.Module]:
        return load(self.factory) if isinstance(self.factory, str) else self.factory

    def _fresh(self, make: Callable[..., nn.Module], sizes: Sizes) -> nn.Module:
        module = made_by(make, sizes, self.form, name=self._name)
        if self.form is not None:
            return Adapter(module, self.form)
        return CodesAsInputs(module, sizes.cardinalities) if sizes.cardinalities else module


def forget() -> None:
    """Forget what was seen of the users' functions, which may make other networks by now."""
    _has_hidden_activations.cache_clear()
    _prototype.cache_clear()


@functools.lru_cache(maxsize=64)
def _has_hidden_activations(factory: str | Callable[..., nn.Module], form: Form | None, sizes: Sizes) -> bool:
    """Look once for what edits can reach: every network is edited anew for every seed."""
    return bool(Given(factory=factory, form=form).hidden_activations(sizes))


@functools.lru_cache(maxsize=8)
def _prototype(network: Given, sizes: Sizes, dropout: float) -> Prototype | None:
    """Keep the networks that were edited last: one stack after the other is built, seed by seed."""
    return network.prototype(sizes, dropout=dropout)
