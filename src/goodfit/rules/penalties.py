r"""What acts on parameters and gradients beside the update rule: L1, L2, decay, clipping.

Shapes: K candidates, P parameters. A strength is a float or a tensor that broadcasts, such as
``(K, 1)`` for one strength per candidate. A mask of shape ``(P,)`` or ``(K, P)`` is 1 where
the penalty applies; biases and normalisation are left out unless asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def l1_gradient(w: Tensor, strength: float | Tensor) -> Tensor:
    r"""Differentiate the L1 penalty: every weight is pushed towards zero by the same amount.

    .. math:: L' = L + \lambda \lVert w \rVert_1, \qquad \partial = \lambda\, \mathrm{sgn}(w)

    Args:
        w: Parameters, any shape.
        strength: :math:`\lambda`.

    Returns:
        What the penalty adds to the gradient; 0 where the weight is 0.

    Example:
        >>> l1_gradient(torch.tensor([-3.0, 0.0, 0.5]), 0.1)
        tensor([-0.1000,  0.0000,  0.1000])
    """
    return strength * w.sign()


def l2_gradient(w: Tensor, strength: float | Tensor) -> Tensor:
    r"""Differentiate the L2 penalty: a weight is pushed towards zero in proportion to itself.

    .. math:: L' = L + \frac{\lambda}{2} \lVert w \rVert_2^2, \qquad \partial = \lambda w

    The half is the lecture's, and what torch's ``weight_decay`` means in ``SGD`` and ``Adam``;
    Keras leaves it out, so its strength is half of this one.

    Args:
        w: Parameters, any shape.
        strength: :math:`\lambda`.

    Returns:
        What the penalty adds to the gradient.

    Example:
        >>> l2_gradient(torch.tensor([-3.0, 0.5]), 0.1)
        tensor([-0.3000,  0.0500])
    """
    return strength * w


def decoupled_decay(
    w: Tensor, lr: float | Tensor, weight_decay: float | Tensor, mask: Tensor | float = 1.0
) -> Tensor:
    r"""Shrink the weights before the update rule's change is added.

    .. math:: w \leftarrow (1 - \eta \lambda)\, w

    For plain gradient descent this equals L2 of the same strength; for rules with state it does not,
    because L2 passes through their means and roots.

    Args:
        w: Parameters.
        lr: Learning rate :math:`\eta` of this step.
        weight_decay: :math:`\lambda`.
        mask: 1 where the decay applies.

    Returns:
        The shrunk parameters, a new tensor.

    Example:
        >>> decoupled_decay(torch.tensor([1.0, 1.0]), 0.5, 0.1, torch.tensor([1.0, 0.0]))
        tensor([0.9500, 1.0000])
    """
    return w * (1 - lr * weight_decay * mask)


def clip_by_norm(g_KP: Tensor, max_norm: float | Tensor) -> Tensor:
    r"""Shorten each candidate's whole gradient to a largest norm.

    .. math:: g \leftarrow g \cdot \min(1, c / \lVert g \rVert_2)

    ``torch.nn.utils.clip_grad_norm_`` divides by the norm plus 1e-6; here the norm alone, so a
    clipped gradient has exactly the norm asked for.

    Args:
        g_KP: Gradients; the norm is taken over each row, so one candidate never clips another.
        max_norm: Largest norm :math:`c`, a float or shape ``(K, 1)``; ``inf`` leaves a row alone.

    Returns:
        Gradients of the same shape.

    Example:
        >>> clip_by_norm(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])

    Reference:
        Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
    """
    norm_K1 = g_KP.norm(dim=-1, keepdim=True)
    # a zero norm gives c / 0 = inf, which the clamp turns into 1
    return g_KP * (max_norm / norm_K1).clamp(max=1.0)
