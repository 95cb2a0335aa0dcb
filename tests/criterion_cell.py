"""A criterion that takes tensors instead of names."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn

from focus_detr.losses.criterion import Criterion


def _of_layers(values: Tensor) -> tuple[Tensor, ...]:
    """[layers, B, Q, n] -> an item for each layer."""
    layers = ()
    for layer in range(values.shape[0]):
        layers += (values[layer],)
    return layers


class ByPlace(nn.Cell):
    """A criterion that takes tensors, so that any of them can be differentiated.

    Args of ``construct``: logits and boxes of all layers, of the encoder's, foreground scores,
    labels, boxes and validity of the targets, sizes of the images, the padded height and width,
    group, target and positive of each denoising slot with the number of groups, or None, and
    logits and boxes of a gathering decoder.
    """

    def __init__(self, criterion: Criterion) -> None:
        super().__init__()
        self.criterion = criterion
        self.loss_names = criterion.loss_names

    def construct(self, *arguments: Any) -> tuple:
        logits, boxes, encoder_logits, encoder_boxes, scores = arguments[:5]
        labels, target_boxes, valid, sizes, height, width = arguments[5:11]
        decoded = {"logits": _of_layers(logits), "boxes": _of_layers(boxes)}
        if len(arguments) > 12:
            gathered = arguments[12:]
            decoded["gathered"] = {
                "logits": _of_layers(gathered[0]),
                "boxes": _of_layers(gathered[1]),
            }
        outputs = {
            "decoded": decoded,
            "queries": {
                "real": encoder_logits[..., 0],
                "logits": encoder_logits,
                "boxes": encoder_boxes,
            },
            "selection": {"scores": scores},
        }
        targets = {"labels": labels, "boxes": target_boxes, "valid": valid, "image_sizes": sizes}
        layout = None
        if len(arguments) > 11 and arguments[11] is not None:
            group, target, positive, groups = arguments[11]
            layout = {"group": group, "target": target, "positive": positive, "groups": groups}
        return self.criterion(outputs, targets, height, width, layout)
