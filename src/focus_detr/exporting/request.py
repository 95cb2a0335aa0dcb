"""What ``focus-detr export`` and ``focus_detr.export`` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.options import ExportOptions
from focus_detr.process.runtime import prepare_runtime


def export_checkpoint(
    checkpoint: Path,
    options: ExportOptions,
    *,
    config: str | None = None,
    overrides: Sequence[str] = (),
    pictures: Sequence[Path] = (),
) -> list[Path]:
    """Write the files of an export, each compared with the checkpoint before it stays.

    Args:
        checkpoint: weights, class names and settings.
        options: what to write, and how to check it.
        config: settings of network and test size instead of those in the checkpoint.
        overrides: ``key=value`` changes to ``config``.
        pictures: files and folders to compare on; none: drawn pictures.

    Returns:
        The files.

    Raises:
        FocusDetrError: something cannot be read, does not go together, or a file differs from the
            checkpoint.
    """
    if overrides and config is None:
        raise FocusDetrError("key=value changes settings of --config, which is missing")
    settings = None if config is None else load_config(config, overrides)
    prepare_runtime(options.device)
    # here, so that bad arguments and Ctrl-C do not wait for MindSpore
    from focus_detr.comparing.pictures import comparison_pictures
    from focus_detr.exporting.session import Exporter

    compared_on = comparison_pictures(pictures)
    return Exporter(checkpoint, options, settings).run(compared_on)
