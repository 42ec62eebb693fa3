"""Numbers made fit for a network: missing ones filled, each scaled and, if asked, spread over a basis."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, QuantileTransformer, StandardScaler

FIT_CELLS = 8_000_000
LIMIT = 8.0
"""Scaled inputs end here on both sides, so that one wild row cannot blow a network up."""

WILD_DEVIATIONS = 10.0
WILD_KURTOSIS = 12.0
MAX_BINS = 16
MAX_WIDTH = 1500
MAX_CELLS = 25_000_000
"""The expanded view of the training rows holds no more numbers (100 MB): folds and processes copy it."""

PIXEL_COLUMNS = 36


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NumberScaling:
    """How the numbers of a table are filled and scaled; everything in it comes from training rows.

    Attributes:
        names: All numbers, also those that never change.
        kept: Places of the numbers that change.
        wild: Places of those whose ranks are mapped to a normal distribution, for their tails are long.
        with_gaps: Places of those that were missing somewhere, which get an indicator.
        is_shared: Whether one scale serves all, as for pixels laid out in a row.
        imputer: Fills a missing number with the column's median; fitted on all numbers.
        scaler: Scales the kept numbers, or ``None`` if there are none.
        bin_columns: For each bin of the piecewise-linear basis, the place of its number among the kept.
        bin_lows: Lower edge of each bin, in scaled units.
        bin_widths: Width of each bin.
    """

    names: tuple[str, ...]
    kept: np.ndarray
    wild: np.ndarray
    with_gaps: np.ndarray
    is_shared: bool
    imputer: SimpleImputer | None
    scaler: ColumnTransformer | MaxAbsScaler | None
    bin_columns: np.ndarray
    bin_lows: np.ndarray
    bin_widths: np.ndarray

    @classmethod
    def fit(
        cls, numbers_ND: np.ndarray, names: tuple[str, ...], *, num_others: int = 0, seed: int = 0
    ) -> NumberScaling:
        """Learn fills, scales and bins from training rows.

        Args:
            numbers_ND: Training rows, float32 or bytes, NaN where missing; of a large table eight
                million cells, drawn at random, decide on medians, scales and bins.
            names: Name of each number.
            num_others: Inputs that other columns make, which count against the greatest width.
            seed: Seed of the draw.
        """
        with_gaps = np.flatnonzero(np.isnan(numbers_ND).any(axis=0))
        kept = np.flatnonzero(_spans(numbers_ND) > 0)
        sample_ND = _sample(numbers_ND, seed).astype(np.float32, copy=False)
        imputer = (
            SimpleImputer(strategy="median", keep_empty_features=True).fit(sample_ND) if len(names) else None
        )
        kept_ND = (
            imputer.transform(sample_ND)[:, kept].astype(np.float64)
            if imputer
            else np.empty((len(sample_ND), 0))
        )
        is_shared = _is_pixels(kept_ND)
        wild = np.flatnonzero(_is_wild(kept_ND)) if not is_shared else np.empty(0, dtype=np.intp)
        scaler = _scaler(kept_ND, wild, is_shared=is_shared)
        scaled_ND = _scale(scaler, kept_ND, is_shared=is_shared)
        widest = min(MAX_WIDTH, MAX_CELLS // max(1, len(numbers_ND)))
        room = widest - scaled_ND.shape[1] - len(with_gaps) - num_others
        columns, lows, widths = _bins(scaled_ND, room)
        return cls(
            names=names,
            kept=kept,
            wild=wild,
            with_gaps=with_gaps,
            is_shared=is_shared,
            imputer=imputer,
            scaler=scaler,
            bin_columns=columns,
            bin_lows=lows,
            bin_widths=widths,
        )

    def input_names(self, inputs: str) -> tuple[str, ...]:
        """Name every input of a view."""
        kept = [self.names[place] for place in self.kept]
        gaps = [f"{self.names[place]}: missing" for place in self.with_gaps]
        if inputs != "expanded":  # bins are many, and their names are long to write
            return tuple(kept + gaps)
        bins = [
            f"{kept[place]}: over {low:.3g}"
            for place, low in zip(self.bin_columns, self.bin_lows, strict=True)
        ]
        return tuple(kept + gaps + bins)

    def view(self, numbers_ND: np.ndarray, inputs: str, *, origins_D: np.ndarray) -> np.ndarray:
        r"""Make the inputs of one view.

        The basis of the expanded view has for the bin from :math:`b_t` to :math:`b_{t+1}` the input

        .. math:: e_t(x) = \min(1, \max(0, (x - b_t) / (b_{t+1} - b_t)))

        Args:
            numbers_ND: Rows, NaN where missing.
            inputs: ``"raw"``, ``"scaled"`` or ``"expanded"``.
            origins_D: What was taken off each number before it was stored.

        Returns:
            Inputs, in the order of :meth:`input_names`.

        Reference:
            Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning",
            NeurIPS 2022, section 3.2.
        """
        if self.imputer is None:
            return np.empty((len(numbers_ND), 0), dtype=np.float32)
        gaps_NG = np.isnan(numbers_ND[:, self.with_gaps])
        kept_ND = self.imputer.transform(numbers_ND)[:, self.kept]
        if inputs == "raw":
            return np.hstack((kept_ND + origins_D[self.kept], gaps_NG), dtype=np.float32, casting="unsafe")
        scaled_ND = _scale(self.scaler, kept_ND, is_shared=self.is_shared)
        if inputs == "scaled":
            return np.hstack((scaled_ND, gaps_NG), dtype=np.float32, casting="unsafe")
        basis_NB = np.clip((scaled_ND[:, self.bin_columns] - self.bin_lows) / self.bin_widths, 0.0, 1.0)
        return np.hstack((scaled_ND, gaps_NG, basis_NB), dtype=np.float32, casting="unsafe")

    def to_dict(self) -> dict[str, Any]:
        """Return all but the fitted transformers as plain values, for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()
        }
        return {name: value for name, value in plain.items() if name not in ("imputer", "scaler")}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, imputer: Any, scaler: Any) -> NumberScaling:
        """Rebuild from :meth:`to_dict` and the fitted transformers."""
        places = {
            name: np.array(values[name], dtype=np.intp)
            for name in ("kept", "wild", "with_gaps", "bin_columns")
        }
        edges = {name: np.array(values[name], dtype=np.float64) for name in ("bin_lows", "bin_widths")}
        return cls(
            **{**values, **places, **edges, "names": tuple(values["names"])}, imputer=imputer, scaler=scaler
        )


def _sample(numbers_ND: np.ndarray, seed: int) -> np.ndarray:
    num_rows = FIT_CELLS // max(1, numbers_ND.shape[1])
    if len(numbers_ND) <= num_rows:
        return numbers_ND
    rows = np.random.default_rng(seed).choice(len(numbers_ND), num_rows, replace=False)
    return numbers_ND[np.sort(rows)]


def _spans(numbers_ND: np.ndarray) -> np.ndarray:
    """Largest minus smallest of each column; 0 where all are missing."""
    if not len(numbers_ND):
        return np.zeros(numbers_ND.shape[1])
    highs_D = np.fmax.reduce(numbers_ND, axis=0).astype(np.float64)
    return np.nan_to_num(highs_D - np.fmin.reduce(numbers_ND, axis=0))


def _is_pixels(kept_ND: np.ndarray) -> bool:
    """Whether these are grey values: many columns of whole numbers from 0 to one common greatest."""
    if kept_ND.shape[1] < PIXEL_COLUMNS or kept_ND.min() < 0 or kept_ND.max() < 3:
        return False
    highs_D = kept_ND.max(axis=0)
    is_common = (highs_D == highs_D.max()).mean() > 0.4
    return bool(is_common and (kept_ND == np.round(kept_ND)).all())


def _is_wild(kept_ND: np.ndarray) -> np.ndarray:
    if not kept_ND.size:
        return np.zeros(kept_ND.shape[1], dtype=bool)
    deviations_ND = kept_ND - kept_ND.mean(axis=0)
    spread_D = deviations_ND.std(axis=0)
    deviations_ND /= np.where(spread_D > 0, spread_D, 1.0)
    is_switch = np.array(
        [len(np.unique(column[:1000])) <= 2 and len(np.unique(column)) <= 2 for column in kept_ND.T]
    )
    kurtosis_D = (deviations_ND**4).mean(axis=0) - 3
    far_D = np.abs(deviations_ND).max(axis=0, initial=0.0) > WILD_DEVIATIONS
    return (far_D | (kurtosis_D > WILD_KURTOSIS)) & ~is_switch.astype(bool)


def _scaler(
    kept_ND: np.ndarray, wild: np.ndarray, *, is_shared: bool
) -> ColumnTransformer | MaxAbsScaler | None:
    if not kept_ND.shape[1]:
        return None
    if is_shared:
        return MaxAbsScaler().fit(np.full((1, kept_ND.shape[1]), kept_ND.max()))
    tame = np.setdiff1d(np.arange(kept_ND.shape[1]), wild)
    ranks = QuantileTransformer(
        n_quantiles=min(1000, len(kept_ND)), output_distribution="normal", subsample=None
    )
    parts = [("tame", StandardScaler(), tame), ("wild", make_pipeline(ranks, StandardScaler()), wild)]
    return ColumnTransformer(parts).fit(kept_ND)


def _scale(scaler: Any, kept_ND: np.ndarray, *, is_shared: bool) -> np.ndarray:
    if scaler is None:
        return kept_ND
    scaled_ND = scaler.transform(kept_ND)
    if not is_shared:
        scaled_ND = scaled_ND[:, _places(scaler)]
    return np.clip(scaled_ND, -LIMIT, LIMIT)


def _places(scaler: ColumnTransformer) -> np.ndarray:
    """Where each column went: the transformer puts the wild ones behind the tame ones."""
    order = np.concatenate(
        [np.asarray(columns) for name, _, columns in scaler.transformers_ if name != "remainder"]
    )
    return np.argsort(order)


def _bins(scaled_ND: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut each number at its quantiles; bins that ties would empty are left out."""
    num_bins = min(MAX_BINS, room // max(1, scaled_ND.shape[1]), len(scaled_ND) // 8)
    columns, lows, widths = [np.empty(0, np.intp)], [np.empty(0)], [np.empty(0)]
    if num_bins < 2:
        return columns[0], lows[0], widths[0]
    cuts_TD = np.quantile(scaled_ND, np.linspace(0, 1, num_bins + 1), axis=0, method="inverted_cdf")
    for place, cuts_T in enumerate(cuts_TD.T):
        edges = np.unique(cuts_T)
        if len(edges) > 2:
            columns.append(np.full(len(edges) - 1, place))
            lows.append(edges[:-1])
            widths.append(np.diff(edges))
    return np.concatenate(columns), np.concatenate(lows), np.concatenate(widths)
