"""Notes on calls: which network is called, with what, and whether to train it or to judge it."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.watch.notes.layers import LayerNotes
from goodfit.watch.notes.networks import NetworkNotes, first_tensor, inner, is_loss
from goodfit.watch.notes.parameters import ParameterNotes
from goodfit.watch.notes.places import here

ENOUGH_BLIND = 4
"""Calls without gradients in a row that tell how a network is judged."""


class CallNotes:
    """What is known of the modules that a script calls.

    Args:
        parameters: Where the parameters of networks in training are noted.
        layers: Where their layers are.
    """

    def __init__(self, parameters: ParameterNotes, layers: LayerNotes) -> None:
        self._parameters, self._layers = parameters, layers
        self._by_network: weakref.WeakKeyDictionary[nn.Module, NetworkNotes] = weakref.WeakKeyDictionary()
        self.networks: list[NetworkNotes] = []
        self.is_looking_for_break = True
        self._trained: weakref.ReferenceType[nn.Module] | None = None
        self.forget()

    def forget(self) -> None:
        """Let go of what belongs to one step."""
        self.begin()
        self._root: nn.Module | None = None
        self._network: NetworkNotes | None = None

    def begin(self) -> None:
        """Expect an outermost call next; errors in a forward pass leave its depth behind."""
        self._depth, self.num_blind = 0, 0
        self._x: Tensor | None = None
        self._pending: dict[NetworkNotes, tuple[bool, int]] = {}

    @property
    def has_seen_evaluation(self) -> bool:
        """Whether enough calls without gradients were seen in a row."""
        return self.num_blind >= ENOUGH_BLIND

    def entered(self, module: nn.Module) -> None:
        """A module is about to be called."""
        if is_loss(module):
            return
        if self._depth == 0:
            self._root = module
        self._depth += 1

    def left(
        self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], output: Any
    ) -> None:
        """A module was called."""
        if is_loss(module) or self._depth == 0:
            return
        self._depth -= 1
        is_outermost = self._depth == 0
        if is_outermost and module is not self._root:
            return
        if torch.is_grad_enabled() and self._root is not None and isinstance(output, Tensor | tuple):
            self._look_inside(self._root, module, first_tensor(arguments, options), output)
        if is_outermost:
            self._network_called(module, first_tensor(arguments, options))

    def _look_inside(self, root: nn.Module, module: nn.Module, x: Tensor | None, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) and output else output
        if module._modules or not isinstance(output, Tensor):
            return
        notes = self._notes_of(root)
        name = notes.layers.get(id(module), type(module).__name__)
        if not self._parameters.knows(module):
            is_inside = id(module) in notes.layers
            self._parameters.meet(module, prefix=f"{name}.", is_registered=is_inside)
        if root.training:
            self._layers.look(name, module, output)
        if self.is_looking_for_break:
            self._layers.look_for_break(name, module, x, output)

    def _network_called(self, network: nn.Module, x: Tensor | None) -> None:
        notes = self._notes_of(network)
        if not torch.is_grad_enabled():
            self.num_blind += 1
            # a lone call in training mode may be a teacher's, or a target's, inside of training
            if self.num_blind > 1 or not network.training:
                notes.evaluate(network, place=here())
            return
        self.num_blind = 0
        if any(parameter.requires_grad for parameter in network.parameters()):
            self._parameters.meet(inner(network))
            notes.place = notes.place or here()
            self._pending[notes] = (network.training, len(x) if x is not None and x.ndim else 0)
            self._trained = weakref.ref(network)
        if self._x is None and x is not None and not x.requires_grad:
            self._x, self._network = x, notes

    def going_backward(self) -> None:
        """The calls that a backward follows were training; of one network, the last."""
        for notes, (is_training, num_rows) in self._pending.items():
            notes.train(is_training=is_training, num_rows=num_rows)
        self.begin()

    def judged(self) -> None:
        """A loss without gradients: the script is judging the network that it trained last."""
        network = self._trained() if self._trained is not None else None
        if network is not None:
            self._notes_of(network).evaluate(network, place=here() if network.training else None)

    def take_rows(self, target: Tensor) -> None:
        """Keep the rows that the network was called with, beside their targets."""
        if self._network is not None and self._x is not None:
            self._network.take_rows(self._x, target)

    def _notes_of(self, network: nn.Module) -> NetworkNotes:
        notes = self._by_network.get(network)
        if notes is None:
            notes = self._by_network[network] = NetworkNotes(inner(network))
            self.networks.append(notes)
        return notes
