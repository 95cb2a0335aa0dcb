"""Sigmoid focal loss from logits, finite for every finite logit."""

from __future__ import annotations

from mindspore import Tensor, nn, ops


def softplus(value: Tensor) -> Tensor:
    """Log(1 + exp(value)), finite for every finite value; its automatic gradient is 0 at 0."""
    magnitude = ops.abs(value)
    return 0.5 * (value + magnitude) + ops.log1p(ops.exp(-magnitude))


class SigmoidFocalLoss(nn.Cell):
    """Focal loss with exponent 2 (Lin et al. 2017), element by element.

    With z the logit of the wrong answer (-x at a positive, x at a negative) it is
    ``weight * sigmoid(z)**2 * softplus(z)``. The reference takes the logarithm of a rounded
    sigmoid, which is the same number until that sigmoid reaches 0 or 1 and infinite from there.
    The gradient is written out because that of ``softplus`` is 0 at z = 0.
    """

    def __init__(self, *, alpha: float = 0.25) -> None:
        """Build the loss.

        Args:
            alpha: weight of positives; negatives weigh 1 - alpha.
        """
        super().__init__()
        self.alpha = alpha
        # the primitive: in a bprop, ops.zeros_like fails from the second compilation on (2.10)
        self.zeros = ops.ZerosLike()

    def _weight(self, targets: Tensor) -> Tensor:
        return (1.0 - self.alpha) + (2.0 * self.alpha - 1.0) * targets

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss per element.

        Args:
            logits: [...] float32.
            targets: [...] float32, 0 or 1; no gradient flows to them.

        Returns:
            [...] float32.
        """
        wrong = logits * (1.0 - 2.0 * targets)
        return self._weight(targets) * ops.square(ops.sigmoid(wrong)) * softplus(wrong)

    def bprop(self, logits: Tensor, targets: Tensor, out: Tensor, dout: Tensor) -> tuple:
        """Return the gradients for logits [...] and targets [...] (zero)."""
        sign = 1.0 - 2.0 * targets
        wrong = logits * sign
        error = ops.sigmoid(wrong)
        slope = error * error * (2.0 * ops.sigmoid(-wrong) * softplus(wrong) + error)
        return dout * self._weight(targets) * slope * sign, self.zeros(targets)
