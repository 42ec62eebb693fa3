"""Any module at all, one candidate after the other, behind the same flat buffer."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from goodfit.engine.chance.drawing import seeded
from goodfit.engine.goodness.blend import Targets
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.failures import raised_in_forward, tells_enough
from goodfit.engine.ways.backend import Backend, Batch, Dropout, LayerWatcher, gradients_of
from goodfit.nets.activations import name_of
from goodfit.nets.cnn import Convolution
from goodfit.tensors import views

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class OneByOne(Backend):
    """Compute candidates one by one; the slow and general way.

    Each module's parameters are swapped for views of the flat buffer once, so that a forward pass needs no
    copies and a backward pass leaves its gradients where the update rule looks for them. Layers on a GPU want
    memory that begins at round addresses: there the modules hold copies, brought up to date before each use.

    Args:
        modules: One freshly built module per candidate. They are changed in place: hand over copies.
        device: Where they are computed.
    """

    def __init__(self, modules: Sequence[nn.Module], *, device: torch.device = PROCESSOR) -> None:
        super().__init__(modules, device=device)
        self._modules = list(modules)
        self._takes_codes = _takes_codes(modules[0])
        self._has_drawn = False
        self._is_training: bool | None = None
        for part in (part for module in modules for part in module.modules()):
            if isinstance(part, Convolution):
                part.puts_channels_last = True
        self.refresh()

    @property
    def can_be_recorded(self) -> bool:
        """Whether no code of the user's own would have to run at every step, and nothing random is drawn."""
        return not self._has_drawn and all(map(_is_known, self._modules[0].modules()))

    def keep(self, index_M: Tensor) -> None:
        """Shrink the stack, modules included."""
        self._modules = [self._modules[int(k)] for k in index_M]
        super().keep(index_M)

    def refresh(self) -> None:
        """Point every module's parameters and buffers at its row of the flat buffers."""
        self.flat_KP = self.flat_KP.contiguous()
        self._grad_KP = torch.empty_like(self.flat_KP)
        self._copies: dict[torch.dtype, list[tuple[Tensor, Tensor]]] = {}
        # found once: to go through the parts of a module takes as long as a layer of it
        self._trainable = [_trainable(module) for module in self._modules]
        self._followed: list[_Followed] = []
        for k, module in enumerate(self._modules):
            rows = views(self.flat_KP[k], self.layout)
            for name, parameter in module.named_parameters():
                parameter.data = self._held(rows[name] if name in rows else self.buffers[name][k])
            for name, _ in list(module.named_buffers()):
                owner, _, last = name.rpartition(".")
                row = self.buffers[name][k]
                followed = _Followed(
                    owner=module.get_submodule(owner), name=last, held=self._held(row), row=row
                )
                followed.hand_over()
                self._followed.append(followed)

    def _held(self, row: Tensor) -> Tensor:
        """Give what a module is to hold of a row of the flat buffers."""
        if not wants_copies(row.device):
            return row
        copy = row.clone()
        self._copies.setdefault(row.dtype, []).append((copy, row))
        return copy

    @torch.no_grad()
    def _bring(self) -> None:
        """Bring the modules' copies up to date."""
        for pairs in self._copies.values():
            copies, rows = zip(*pairs, strict=True)
            torch._foreach_copy_(copies, rows)

    def weights(self, k: int) -> dict[str, Tensor]:
        """Copy one candidate's state, tied parameters under each of their names."""
        self._bring()
        return {name: tensor.detach().clone().cpu() for name, tensor in self._modules[k].state_dict().items()}

    def loss_gradients(
        self,
        batch: Batch,
        y_KN: Targets,
        *,
        loss: Loss,
        smoothing_K1: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Differentiate as :meth:`Backend.loss_gradients` says, each candidate forth and back in turn.

        The graph of one network stays in the cache where those of all would not.
        """
        self._bring()
        self._turn(is_training=dropout is not None)
        seeds = None if dropout is None else dropout.hidden_streams.next_seeds()
        y_KN = y_KN.expand(self.num_candidates, *y_KN.shape[1:])
        for k, parameters in enumerate(self._trainable):
            own = slice(k, k + 1)
            scores_1NO = self._scores_of(k, batch, None if seeds is None else seeds[k]).unsqueeze(0)
            smoothing = None if smoothing_K1 is None else smoothing_K1[own]
            loss_1 = loss.means(scores_1NO, y_KN[own], smoothing_K1=smoothing)
            found = gradients_of(loss_1, parameters, num_candidates=1)
            torch.cat([g.flatten() for g in found], out=self._grad_KP[k])
        self._follow()
        return self._grad_KP

    @torch.no_grad()
    def _follow(self) -> None:
        """Take over buffers that a forward pass has changed elsewhere, once no graph needs the old ones."""
        for followed in self._followed:
            followed.take_over()

    def gradients(self, loss_K: Tensor) -> Tensor:
        """Differentiate as :meth:`Backend.gradients` says, one module's loss after the other."""
        parameters = list(itertools.chain(*self._trainable))
        found = gradients_of(loss_K, parameters, num_candidates=self.num_candidates)
        return torch.cat([g.flatten() for g in found]).view_as(self.flat_KP)

    def scores(
        self, batch: Batch, *, dropout: Dropout | None = None, watcher: LayerWatcher | None = None
    ) -> Tensor:
        """Compute raw scores as :meth:`Backend.scores` says."""
        self._bring()
        self._turn(is_training=dropout is not None)
        seen: list[list[tuple[str, str, Tensor]]] = []
        outputs = []
        seeds = None if dropout is None else dropout.hidden_streams.next_seeds()
        for k, module in enumerate(self._modules):
            activations: list[tuple[str, str, Tensor]] = []
            hooks = _listen(module, activations) if watcher is not None else []
            outputs.append(self._scores_of(k, batch, None if seeds is None else seeds[k]))
            for hook in hooks:
                hook.remove()
            seen.append(activations)
        if watcher is not None:
            for layer in zip(*seen, strict=True):
                watcher(layer[0][0], layer[0][1], torch.stack([activation for _, _, activation in layer]))
        return torch.stack(outputs)

    def _turn(self, *, is_training: bool) -> None:
        """Put the modules into a mode, unless they are in it."""
        if is_training is not self._is_training:
            for module in self._modules:
                module.train(is_training)
            self._is_training = is_training

    def _scores_of(self, k: int, batch: Batch, seed: int | None) -> Tensor:
        try:
            return self._run(k, batch, seed)
        except Exception as error:  # the user's code raises what it likes
            if tells_enough(error):
                raise
            raise raised_in_forward(error, num_rows=len(batch.of(k)[0])) from error

    def _run(self, k: int, batch: Batch, seed: int | None) -> Tensor:
        x, codes = batch.of(k)
        module = self._modules[k]
        if seed is None:
            return module(x, codes) if self._takes_codes else module(x)
        # a module draws from torch's own stream: give it the candidate's for the length of one forward pass
        with seeded(seed, self.flat_KP.device) as stream:
            scores: Tensor = module(x, codes) if self._takes_codes else module(x)
            self._has_drawn = self._has_drawn or stream.has_moved
        return scores


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Followed:
    """A buffer of a module, what the module is to hold of it, and its row in the stack."""

    owner: nn.Module
    name: str
    held: Tensor
    row: Tensor

    def hand_over(self) -> None:
        """Let the module hold what it is to hold."""
        self.owner._buffers[self.name] = self.held

    def take_over(self) -> None:
        """Copy what a forward pass has put in its place."""
        buffer = self.owner._buffers[self.name]
        if buffer is not None and buffer.data_ptr() != self.row.data_ptr():
            self.row.copy_(buffer)
            self.hand_over()


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def wants_copies(device: torch.device) -> bool:
    """Whether layers need their memory to begin at round addresses, which rows of a flat buffer seldom do."""
    return device.type == "cuda"


def _is_known(part: nn.Module) -> bool:
    """Whether torch or goodfit wrote a module; what else may happen in a forward pass, nobody can tell."""
    return type(part).__module__.partition(".")[0] in ("torch", "goodfit")


def _takes_codes(module: nn.Module) -> bool:
    return "codes_NC" in inspect.signature(module.forward).parameters


def _listen(
    module: nn.Module, activations: list[tuple[str, str, Tensor]]
) -> list[torch.utils.hooks.RemovableHandle]:
    """Note the output of each activation under the name of the weighted layer before it."""
    last_weighted = [""]

    def after_weighted(name: str) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: object, _output: object) -> None:
            last_weighted[0] = name

        return note

    def after_activation(kind: str) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if last_weighted[0]:
                activations.append((last_weighted[0], kind, output.detach().flatten(1)))

        return note

    hooks = []
    for name, part in module.named_modules():
        kind = name_of(part)
        if isinstance(part, WEIGHTED):
            hooks.append(part.register_forward_hook(after_weighted(name)))
        elif kind is not None:
            hooks.append(part.register_forward_hook(after_activation(kind)))
    return hooks
