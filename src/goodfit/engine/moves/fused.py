"""Adam on the flat buffers without temporary tensors; the same numbers as the pure rule, in a fraction of
the time.

The pure rule allocates eight tensors of the size of the parameters at each step; for a network of 300,000
parameters that costs more than its forward and backward pass. Letters: K candidates, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import final

import torch
from torch import Tensor

ROWS_ALONE = 1_000
"""Parameters from which torch's fused kernel, one candidate at a time, beats one operation over all.

It looks at the parameters of one candidate alone: the way that is taken decides the last digit, and
a candidate's digits must not depend on its neighbours.
"""


@final
class AdamInPlace:
    r"""Moves parameters by steps of Adam, in place.

    .. math:: w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon}

    It remembers where the rows of the last step were, for finding them costs as much as moving them.

    Reference:
        :class:`goodfit.rules.adaptive.Adam`, which the tests hold it against.
    """

    def __init__(self) -> None:
        self._places: tuple[int, ...] = ()
        self._rows: list[tuple[Tensor, ...]] = []
        self._hyper: Mapping[str, Tensor] | None = None
        self._groups: list[tuple[tuple[float, ...], list[list[Tensor]]]] = []

    def __call__(
        self,
        w_KP: Tensor,
        g_KP: Tensor,
        state: MutableMapping[str, Tensor],
        hyper: Mapping[str, Tensor],
        *,
        t: int,
    ) -> None:
        """Move one step.

        Args:
            w_KP: Parameters; changed.
            g_KP: Gradients; used up.
            state: Moments ``m`` and ``v``; changed.
            hyper: ``lr``, ``beta1``, ``beta2`` and ``eps``, each ``(K, 1)``; never changed in place.
            t: Step number, from 1.
        """
        buffers = (w_KP, g_KP, state["m"], state["v"])
        if w_KP.shape[1] >= ROWS_ALONE:
            self._row_by_row(buffers, hyper, t=t)
        else:
            _all_at_once(*buffers, hyper, t=t)

    def _row_by_row(self, buffers: tuple[Tensor, ...], hyper: Mapping[str, Tensor], *, t: int) -> None:
        self._find(buffers, hyper)
        step = torch.full((), float(t), device=buffers[0].device)
        for (lr, beta1, beta2, eps), (w, g, m, v) in self._groups:
            # not torch.optim.adam.adam, whose bookkeeping for each tensor costs as much as the kernel
            torch._fused_adam_(
                w,
                g,
                m,
                v,
                [],
                [step] * len(w),
                lr=lr,
                beta1=beta1,
                beta2=beta2,
                weight_decay=0.0,
                eps=eps,
                amsgrad=False,
                maximize=False,
            )

    def _find(self, buffers: tuple[Tensor, ...], hyper: Mapping[str, Tensor]) -> None:
        places = (len(buffers[0]), *(buffer.data_ptr() for buffer in buffers))
        if places == self._places and hyper is self._hyper:
            return
        if places != self._places:
            # the rows keep their memory alive, so equal addresses are the same memory
            self._places, self._rows = places, [buffer.detach().unbind() for buffer in buffers]
        self._hyper = hyper
        self._groups = [
            (numbers, [[side[k] for k in chosen] for side in self._rows])
            for numbers, chosen in _of_equal_numbers(hyper).items()
        ]


def _all_at_once(
    w_KP: Tensor, g_KP: Tensor, m_KP: Tensor, v_KP: Tensor, hyper: Mapping[str, Tensor], *, t: int
) -> None:
    beta1_K1, beta2_K1 = hyper["beta1"], hyper["beta2"]
    m_KP.lerp_(g_KP, 1 - beta1_K1)
    v_KP.lerp_(g_KP.mul_(g_KP), 1 - beta2_K1)  # the gradient is spent: it becomes scratch
    # both corrections act on numbers of a candidate instead of tensors, as in the pure rule
    root_K1 = (1 - beta2_K1**t).sqrt()
    torch.sqrt(v_KP, out=g_KP).add_(root_K1 * hyper["eps"])
    torch.div(m_KP, g_KP, out=g_KP)
    w_KP.sub_(g_KP.mul_(hyper["lr"] * root_K1 / (1 - beta1_K1**t)))


def _of_equal_numbers(hyper: Mapping[str, Tensor]) -> dict[tuple[float, ...], list[int]]:
    """Group the candidates that share all four numbers, wherever they stand."""
    columns = [hyper[name].flatten().tolist() for name in ("lr", "beta1", "beta2", "eps")]
    groups: dict[tuple[float, ...], list[int]] = {}
    for place, numbers in enumerate(zip(*columns, strict=True)):
        groups.setdefault(numbers, []).append(place)
    return groups
