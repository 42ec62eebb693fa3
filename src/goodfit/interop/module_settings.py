"""Settings of the user's own network among an estimator's parameters: ``module__width``, as in skorch."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from goodfit.errors import PlanError

PREFIX = "module__"
MEANT = "module_"
"""What begins so was meant for the module. Scikit-learn wants no constructor to refuse it: ``fit`` does."""
SIZES = ("inputs", "outputs")


@dataclasses.dataclass(frozen=True, eq=False)
class ModuleFactory:
    """Makes a module with settings, and with the sizes of the data where it asks for them.

    ``inputs`` and ``outputs`` are handed over by name if parameters are called so; otherwise to the first
    parameters that have neither a default nor a setting, if there are any.

    Args:
        module: Class of the module, or a function that makes one.
        settings: Its own parameters.

    Example:
        >>> ModuleFactory(nn.Linear, {"bias": False})(4, 3)
        Linear(in_features=4, out_features=3, bias=False)
    """

    module: Callable[..., nn.Module]
    settings: dict[str, Any]

    def __call__(self, inputs: Any, outputs: int) -> nn.Module:
        """Make a fresh module."""
        known = inspect.signature(self.module).parameters
        sizes = dict(zip(SIZES, (inputs, outputs), strict=True))
        named = {name: sizes[name] for name in SIZES if name in known and name not in self.settings}
        open_ones = [
            parameter.name
            for parameter in known.values()
            if parameter.default is parameter.empty
            and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            and parameter.name not in self.settings
        ]
        if not named:
            named = dict(zip(open_ones, sizes.values(), strict=False))
        return self.module(**named, **self.settings)

    @property
    def __name__(self) -> str:
        """Name of the module, for errors and the record."""
        return getattr(self.module, "__name__", type(self.module).__name__)


class WithModuleSettings(BaseEstimator):
    """An estimator that takes ``module`` and any ``module__NAME``, in searches too."""

    module: Callable[..., nn.Module] | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters, those of the module among them."""
        found: dict[str, Any] = super().get_params(deep=deep)
        return found | {name: value for name, value in vars(self).items() if name.startswith(MEANT)}

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the module among them."""
        own = {name: value for name, value in params.items() if name.startswith(MEANT)}
        super().set_params(**{name: value for name, value in params.items() if name not in own})
        self.__dict__.update(own)
        return self

    def _take(self, settings: dict[str, Any]) -> None:
        """Store the settings that a constructor was given beyond its parameters."""
        for name in settings:
            if not name.startswith(MEANT):
                raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")
        self.__dict__.update(settings)

    def _factory(self) -> ModuleFactory | None:
        for name in vars(self):
            if name.startswith(MEANT) and not name.startswith(PREFIX):
                raise PlanError(f"{name} is no parameter", fix=f"give {PREFIX}{name.removeprefix(MEANT)}")
        settings = {
            name.removeprefix(PREFIX): value for name, value in vars(self).items() if name.startswith(PREFIX)
        }
        if self.module is None:
            if settings:
                raise PlanError(
                    f"{PREFIX}{min(settings)} is set, but there is no module", fix="give module= as well"
                )
            return None
        if isinstance(self.module, nn.Module):
            raise PlanError(
                f"module is one {type(self.module).__name__}, and every seed needs a fresh one",
                fix=f"give the class, module={type(self.module).__name__}, and its settings as {PREFIX}NAME",
            )
        known = inspect.signature(self.module).parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        for name in settings:
            if name not in known and not takes_any:
                raise PlanError(
                    f"{PREFIX}{name} is set, but {getattr(self.module, '__name__', 'module')} has no {name}",
                    fix=f"use one of {', '.join(PREFIX + word for word in known)}",
                )
        return ModuleFactory(self.module, settings)
