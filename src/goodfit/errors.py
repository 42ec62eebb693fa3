"""Every exception that goodfit raises on purpose; none exists without a remedy."""

from __future__ import annotations


class GoodfitError(Exception):
    """Something the user can mend, with the sentence that says how.

    Args:
        message: What is wrong, with the offending value in it.
        fix: What to do about it, as an imperative sentence.

    Example:
        >>> print(GoodfitError("budget is -3 s", fix="give a positive number of seconds"))
        budget is -3 s
        fix: give a positive number of seconds
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\nfix: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.fix))


def _rebuild(kind: type[GoodfitError], message: str, fix: str) -> GoodfitError:
    return kind(message, fix=fix)


class DataError(GoodfitError):
    """The data cannot be read, or cannot be learnt from."""


class PlanError(GoodfitError):
    """A plan contradicts itself or its data: an unknown rule, a negative rate."""


class ShapeError(GoodfitError):
    """A tensor has axes that the called function cannot use."""


class ModelError(GoodfitError):
    """The user's network cannot be built or run."""


class BudgetError(GoodfitError):
    """The time or number of trainings allowed is too small to do anything honest."""


class RunFolderError(GoodfitError):
    """A folder is not a run, is incomplete, or was written by a newer version."""


class DeviceError(GoodfitError):
    """The device asked for is not there, or torch cannot use it."""
