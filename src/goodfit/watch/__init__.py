"""Watch a training script, or a part of a program, and say what is wrong with it.

``goodfit.watch`` is this package and can be called as well: ``with goodfit.watch(model, optimizer): ...``.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goodfit.watch.session import Session

__all__ = ["watch"]


def watch(model: Any = None, optimizer: Any = None, *, quiet: bool = False) -> Session:
    """Watch the training that happens inside a ``with`` block.

    Args:
        model: The network; it only serves to check that it is trained at all.
        optimizer: Its optimizer, likewise.
        quiet: Print nothing; the findings are on the session.

    Returns:
        A session to use with ``with``; its ``findings`` are complete when the block ends.

    Raises:
        ModelError: ``model`` is no ``nn.Module``, or ``optimizer`` no optimizer.

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(2, 1)
        >>> rule = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> with watch(net, rule, quiet=True) as session:
        ...     for _ in range(20):
        ...         rule.zero_grad()
        ...         loss = torch.nn.functional.mse_loss(net(torch.ones(4, 2)), torch.ones(4))
        ...         loss.backward()
        ...         rule.step()
        >>> [sighting.finding.name for sighting in session.sightings][:1]
        ['broadcast-in-loss']
    """
    from goodfit.watch.session import Session

    return Session(model, optimizer, quiet=quiet)


class _CallablePackage(types.ModuleType):
    """A package that is its own door."""

    def __call__(self, model: Any = None, optimizer: Any = None, *, quiet: bool = False) -> Session:
        return watch(model, optimizer, quiet=quiet)


sys.modules[__name__].__class__ = _CallablePackage
