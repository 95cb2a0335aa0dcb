"""The differentiable operators of ``custom_ops/products``; the cells beside them are their twins.

Each function gives one operator, the same one for the same arguments: building one takes as long as
a cell, and MindSpore reads the derivative of each anew. Derivatives are composed of the library's
own, so that what a gradient does not need is not computed.

``precision`` is that of the factors of a dense layer or convolution; sums and everything else stay
float32, and so do gradients.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mindspore import Tensor, ops

from focus_detr.ops.custom_primitive import build_primitive

ACTIVATIONS = {"none": 0, "relu": 1, "relu6": 2, "gelu": 3}  # enum products_activation
FLOAT32, BFLOAT16 = 0, 1  # enum products_precision


@cache
def _activation_gradient(library: Path, activation: str) -> ops.Custom:
    """(gradient, what relu and relu6 gave or gelu took) -> gradient of the argument."""
    kind = ACTIVATIONS[activation]
    return build_primitive(
        library, "ActivationGrad", ("grad", "kept"), ("grad_source",), activation=kind
    )


@cache
def _dense_gradients(library: Path) -> tuple[ops.Custom, ops.Custom]:
    """(gradient, weight) -> of the source; (gradient, source) -> of weight and bias."""
    outputs = ("grad_weight", "grad_bias")
    return (
        build_primitive(library, "DenseGradSource", ("grad", "weight"), ("grad_source",)),
        build_primitive(library, "DenseGradWeights", ("grad", "source"), outputs),
    )


@cache
def dense(library: Path, activation: str, precision: int = FLOAT32) -> ops.Custom:
    """Source [..., I], weight [O, I], bias [O] -> activation(source weight^T + bias) [..., O]."""
    inputs, kind = ("source", "weight", "bias"), ACTIVATIONS[activation]
    plain = build_primitive(
        library, "DenseForward", inputs, ("target",), activation=0, precision=FLOAT32
    )
    through = _activation_gradient(library, activation)
    to_source, to_weight = _dense_gradients(library)
    activates, takes_argument = activation != "none", activation == "gelu"

    def bprop(
        source: Tensor, weight: Tensor, bias: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs."""
        if activates:
            grad = through(grad, plain(source, weight, bias) if takes_argument else target)
        grad_weight, grad_bias = to_weight(grad, source)
        return to_source(grad, weight), grad_weight, grad_bias

    return build_primitive(
        library,
        "DenseForward",
        inputs,
        ("target",),
        bprop=bprop,
        activation=kind,
        precision=precision,
    )


@cache
def dense_sum(library: Path, precision: int = FLOAT32) -> ops.Custom:
    """As ``dense`` without activation, plus a residual [..., O]."""
    to_source, to_weight = _dense_gradients(library)

    def bprop(
        source: Tensor,
        weight: Tensor,
        bias: Tensor,
        residual: Tensor,
        target: Tensor,
        grad: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs."""
        grad_weight, grad_bias = to_weight(grad, source)
        return to_source(grad, weight), grad_weight, grad_bias, grad

    inputs = ("source", "weight", "bias", "residual")
    return build_primitive(
        library,
        "DenseSumForward",
        inputs,
        ("target",),
        bprop=bprop,
        activation=0,
        precision=precision,
    )


@cache
def dense_valid(library: Path, precision: int = FLOAT32) -> ops.Custom:
    """As ``dense`` without activation; rows whose ``valid`` [...] is 0 become 0."""
    to_source, to_weight = _dense_gradients(library)
    weigh, zeros = _weigh_rows(library), ops.ZerosLike()

    def bprop(
        source: Tensor,
        weight: Tensor,
        bias: Tensor,
        valid: Tensor,
        target: Tensor,
        grad: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs, zero for what is valid."""
        grad = weigh(grad, valid)
        grad_weight, grad_bias = to_weight(grad, source)
        return to_source(grad, weight), grad_weight, grad_bias, zeros(valid)

    inputs = ("source", "weight", "bias", "valid")
    return build_primitive(
        library,
        "DenseValidForward",
        inputs,
        ("target",),
        bprop=bprop,
        activation=0,
        precision=precision,
    )


@cache
def _convolution_gradients(library: Path, place: tuple[int, ...]) -> tuple[ops.Custom, ops.Custom]:
    """Both take source, weight and the gradient of the convolution."""
    inputs, outputs = ("source", "weight", "grad"), ("grad_weight", "grad_bias")
    return (
        build_primitive(library, "ConvolutionGradSource", inputs, ("grad_source",), place=place),
        build_primitive(library, "ConvolutionGradWeights", inputs, outputs, place=place),
    )


@cache
def convolution(
    library: Path, place: tuple[int, ...], activation: str, precision: int = FLOAT32
) -> ops.Custom:
    """Source [B, h, w, I], weight [O, I/G, k, k], bias [O] -> [B, h', w', O].

    Args:
        library: from ``native_products``.
        place: stride, padding at the top, bottom, left and right, groups.
        activation: none, relu or relu6.
        precision: of the factors.
    """
    kind, activates = ACTIVATIONS[activation], activation != "none"
    through = _activation_gradient(library, activation)
    to_source, to_weight = _convolution_gradients(library, place)

    def bprop(
        source: Tensor, weight: Tensor, bias: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs."""
        if activates:
            grad = through(grad, target)
        grad_weight, grad_bias = to_weight(source, weight, grad)
        return to_source(source, weight, grad), grad_weight, grad_bias

    inputs = ("source", "weight", "bias")
    return build_primitive(
        library,
        "ConvolutionForward",
        inputs,
        ("target",),
        bprop=bprop,
        place=place,
        activation=kind,
        precision=precision,
    )


@cache
def convolution_sum(
    library: Path, place: tuple[int, ...], activation: str, precision: int = FLOAT32
) -> ops.Custom:
    """As ``convolution``, with a residual [B, h', w', O] added before the activation."""
    kind, activates = ACTIVATIONS[activation], activation != "none"
    through = _activation_gradient(library, activation)
    to_source, to_weight = _convolution_gradients(library, place)

    def bprop(
        source: Tensor,
        weight: Tensor,
        bias: Tensor,
        residual: Tensor,
        target: Tensor,
        grad: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs."""
        if activates:
            grad = through(grad, target)
        grad_weight, grad_bias = to_weight(source, weight, grad)
        return to_source(source, weight, grad), grad_weight, grad_bias, grad

    inputs = ("source", "weight", "bias", "residual")
    return build_primitive(
        library,
        "ConvolutionSumForward",
        inputs,
        ("target",),
        bprop=bprop,
        place=place,
        activation=kind,
        precision=precision,
    )


@cache
def convolution_valid(
    library: Path, place: tuple[int, ...], activation: str, precision: int = FLOAT32
) -> ops.Custom:
    """As ``convolution``; cells whose ``valid`` [B, h', w', 1] is 0 become 0."""
    kind, activates = ACTIVATIONS[activation], activation != "none"
    through, weigh = _activation_gradient(library, activation), _weigh_rows(library)
    to_source, to_weight = _convolution_gradients(library, place)
    zeros = ops.ZerosLike()

    def bprop(
        source: Tensor,
        weight: Tensor,
        bias: Tensor,
        valid: Tensor,
        target: Tensor,
        grad: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs, zero for what is valid."""
        # where the target is 0, nothing passes an activation
        grad = through(grad, target) if activates else weigh(grad, valid)
        grad_weight, grad_bias = to_weight(source, weight, grad)
        return to_source(source, weight, grad), grad_weight, grad_bias, zeros(valid)

    inputs = ("source", "weight", "bias", "valid")
    return build_primitive(
        library,
        "ConvolutionValidForward",
        inputs,
        ("target",),
        bprop=bprop,
        place=place,
        activation=kind,
        precision=precision,
    )


@cache
def fold_norm(library: Path, epsilon: float) -> ops.Custom:
    """Weight [O, I, k, k], gamma, beta, mean, variance [O] -> folded [O, I, k, k], shift [O].

    Only the weight has a gradient.
    """
    inputs = ("weight", "gamma", "beta", "mean", "variance")
    backward = build_primitive(
        library,
        "FoldNormGrad",
        ("grad", "gamma", "variance"),
        ("grad_weight",),
        epsilon=epsilon,
    )
    zeros = ops.ZerosLike()

    def bprop(
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mean: Tensor,
        variance: Tensor,
        target: tuple[Tensor, Tensor],
        grad: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Gradient of the weight, zero for the norm."""
        nothing = zeros(gamma)
        return backward(grad[0], gamma, variance), nothing, nothing, nothing, nothing

    return build_primitive(
        library, "FoldNorm", inputs, ("target", "shift"), bprop=bprop, epsilon=epsilon
    )


@cache
def _weigh_rows(library: Path) -> ops.Custom:
    """Source [..., C], a factor for each row -> their product; without a derivative."""
    return build_primitive(library, "WeighRows", ("source", "factor"), ("target",))


@cache
def weigh_rows(library: Path) -> ops.Custom:
    """Source [..., C], factor [..., 1] -> their product."""
    plain = _weigh_rows(library)
    inputs = ("first", "second", "like")
    to_factor = build_primitive(library, "RowProducts", inputs, ("target",))

    def bprop(
        source: Tensor, factor: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradients of both inputs."""
        return plain(grad, factor), to_factor(grad, source, factor)

    return build_primitive(library, "WeighRows", ("source", "factor"), ("target",), bprop=bprop)


@cache
def layer_norm(library: Path, epsilon: float) -> ops.Custom:
    """Source [..., C], gamma [C], beta [C] -> [..., C]."""
    outputs = ("grad_source", "grad_gamma", "grad_beta")
    backward = build_primitive(
        library, "LayerNormGrad", ("source", "gamma", "grad"), outputs, epsilon=epsilon
    )

    def bprop(
        source: Tensor, gamma: Tensor, beta: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs."""
        grad_source, grad_gamma, grad_beta = backward(source, gamma, grad)
        return grad_source, grad_gamma, grad_beta

    inputs = ("source", "gamma", "beta")
    return build_primitive(
        library, "LayerNormForward", inputs, ("target",), bprop=bprop, epsilon=epsilon
    )


@cache
def group_norm(library: Path, groups: int, epsilon: float) -> ops.Custom:
    """Source [B, h, w, C], counted [B, h*w] of 0 and 1, gamma [C], beta [C] -> [B, h, w, C]."""
    backward = build_primitive(
        library,
        "GroupNormGrad",
        ("source", "counted", "gamma", "grad"),
        ("grad_source", "grad_gamma", "grad_beta"),
        groups=groups,
        epsilon=epsilon,
    )
    zeros = ops.ZerosLike()

    def bprop(
        source: Tensor,
        counted: Tensor,
        gamma: Tensor,
        beta: Tensor,
        target: Tensor,
        grad: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs, zero for what counts."""
        grad_source, grad_gamma, grad_beta = backward(source, counted, gamma, grad)
        return grad_source, zeros(counted), grad_gamma, grad_beta

    return build_primitive(
        library,
        "GroupNormForward",
        ("source", "counted", "gamma", "beta"),
        ("target",),
        bprop=bprop,
        groups=groups,
        epsilon=epsilon,
    )


@cache
def max_pool(library: Path, kernel: int, stride: int, padding: int) -> ops.Custom:
    """[B, h, w, C] -> [B, h', w', C]."""
    window = (kernel, stride, padding, padding, padding, padding)
    inputs = ("source", "target", "grad")
    backward = build_primitive(library, "MaxPoolGrad", inputs, ("grad_source",), window=window)

    def bprop(source: Tensor, target: Tensor, grad: Tensor) -> tuple[Tensor]:
        """Gradient of the map."""
        return (backward(source, target, grad),)

    return build_primitive(
        library, "MaxPoolForward", ("source",), ("target",), bprop=bprop, window=window
    )
