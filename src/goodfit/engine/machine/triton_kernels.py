"""One kernel for a step of any update rule, and one for dropout masks; needs Triton.

An update is a few operations for each number that is read and written, so that nothing but the traffic
counts: Adam reads four buffers and writes three, once each.

Letters: K candidates, P parameters, C numbers of a rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


def move(
    rule: str,
    w_KP: Tensor,
    g_KP: Tensor,
    state: Mapping[str, Tensor],
    numbers: tuple[Tensor, Tensor],
    *,
    decays_P: Tensor | None,
) -> None:
    """Move parameters by one step in place.

    Args:
        rule: Name of the rule, as in :data:`goodfit.engine.moves.tabled.NUMBERS`.
        w_KP: Parameters; changed.
        g_KP: Gradients.
        state: What the rule remembers, in its own order; changed.
        numbers: Numbers of all steps ``(S, C, K)``, and which step it is: for each the rate, what decay
            leaves, and the rule's further ones.
        decays_P: 1 for the parameters that decay; ``None`` where none does.
    """
    first_KP, second_KP = (*state.values(), w_KP, w_KP)[:2]
    num_candidates, num_parameters = w_KP.shape
    table_SCK, place_1 = numbers
    _move[(triton.cdiv(num_parameters, BLOCK), num_candidates)](
        w_KP,
        g_KP,
        first_KP,
        second_KP,
        table_SCK,
        place_1,
        w_KP if decays_P is None else decays_P,
        num_candidates,
        num_parameters,
        NUMBERS=table_SCK.shape[1],
        RULE=rule,
        DECAYS=decays_P is not None,
        BLOCK=BLOCK,
    )


def dropout_mask(starts_K: Tensor, count: Tensor, rate_K1: Tensor, *, num_units: int) -> Tensor:
    """Draw inverted-dropout masks ``(K, num_units)``, as ``CountedStreams`` draws them without a kernel."""
    mask_KU = torch.empty(len(starts_K), num_units, dtype=rate_K1.dtype, device=rate_K1.device)
    grid = (triton.cdiv(num_units, BLOCK), len(starts_K))
    _silence[grid](mask_KU, starts_K, count, rate_K1, num_units, BLOCK=BLOCK)
    return mask_KU


def try_out(device: torch.device) -> None:
    """Compile and run the smallest of them; raises whatever stands in the way."""
    starts_K = torch.zeros(1, dtype=torch.long, device=device)
    mask_KU = dropout_mask(starts_K, starts_K[0], torch.zeros(1, 1, device=device), num_units=8)
    if not bool((mask_KU == 1).all()):
        raise RuntimeError("a kernel gives wrong numbers")


@triton.jit
def _lerp(start, end, share):
    # as torch does, so that a share of 1 is the end itself
    return tl.where(share < 0.5, start + share * (end - start), end - (end - start) * (1 - share))


@triton.jit
def _move(
    w_ptr,
    g_ptr,
    first_ptr,
    second_ptr,
    numbers_ptr,
    place_ptr,
    decays_ptr,
    num_candidates,
    num_parameters,
    NUMBERS: tl.constexpr,
    RULE: tl.constexpr,
    DECAYS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    k = tl.program_id(1)
    place_P = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    is_in = place_P < num_parameters
    at = k.to(tl.int64) * num_parameters + place_P
    numbers_ptr += tl.load(place_ptr) * NUMBERS * num_candidates + k
    w, g = tl.load(w_ptr + at, mask=is_in), tl.load(g_ptr + at, mask=is_in)
    rate = tl.load(numbers_ptr)
    if DECAYS:
        decays = tl.load(decays_ptr + place_P, mask=is_in, other=0.0)
        w = tl.where(decays > 0, w * tl.load(numbers_ptr + num_candidates), w)
    if RULE == "gradient-descent":
        w -= rate * g
    else:
        own = tl.load(numbers_ptr + 2 * num_candidates)
        first = tl.load(first_ptr + at, mask=is_in)
        if RULE == "momentum":
            first = own * first - rate * g
            w += first
        elif RULE == "nesterov":
            first = own * first - rate * g
            w += own * first - rate * g
        elif RULE == "adagrad":
            first += g * g
            w -= rate * tl.div_rn(g, tl.sqrt_rn(first) + own)
        elif RULE == "rmsprop":
            first = _lerp(first, g * g, tl.load(numbers_ptr + 3 * num_candidates))
            w -= rate * tl.div_rn(g, tl.sqrt_rn(first) + own)
        else:
            second = tl.load(second_ptr + at, mask=is_in)
            first = _lerp(first, g, tl.load(numbers_ptr + 3 * num_candidates))
            second = _lerp(second, g * g, tl.load(numbers_ptr + 4 * num_candidates))
            w -= rate * tl.div_rn(first, tl.sqrt_rn(second) + own)
            tl.store(second_ptr + at, second, mask=is_in)
        tl.store(first_ptr + at, first, mask=is_in)
    tl.store(w_ptr + at, w, mask=is_in)


@triton.jit
def _mixed(bits):
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB
    return bits ^ (bits >> 31)


@triton.jit
def _silence(mask_ptr, starts_ptr, count_ptr, rate_ptr, num_units, BLOCK: tl.constexpr):
    k = tl.program_id(1)
    unit = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    step = tl.full((), 0x9E3779B97F4A7C15, tl.uint64)
    start, count = (tl.load(starts_ptr + k).to(tl.uint64), tl.load(count_ptr).to(tl.uint64))
    key = _mixed(_mixed(start + count * step))
    bits = _mixed(key + (unit.to(tl.uint64) + 1) * step)
    rate = tl.load(rate_ptr + k)
    drawn = (bits >> 40).to(tl.float32) * 5.9604644775390625e-08  # 24 bits as a fraction
    mask = tl.where(drawn >= rate, tl.div_rn(1.0, 1.0 - rate), 0.0)
    tl.store(mask_ptr + k.to(tl.int64) * num_units + unit, mask, mask=unit < num_units)
