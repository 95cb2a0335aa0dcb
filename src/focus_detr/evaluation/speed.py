"""Where the time of an evaluation went."""

from __future__ import annotations

from dataclasses import dataclass

from focus_detr.wording import counted


@dataclass
class Speed:
    """Seconds per stage over the timed images.

    The first batch of every image shape compiles a graph; its images count as ``warmup_images``,
    its model time as ``compile_seconds``, and neither enters the speed.
    """

    images: int = 0
    data_seconds: float = 0.0  # waiting for the loader
    model_seconds: float = 0.0
    post_seconds: float = 0.0
    warmup_images: int = 0
    compile_seconds: float = 0.0
    shapes: int = 0  # compiled image shapes

    def add_warmup(self, images: int, model_seconds: float) -> None:
        """Count the first batch of a new shape."""
        self.shapes += 1
        self.warmup_images += images
        self.compile_seconds += model_seconds

    def add(self, images: int, data: float, model: float, post: float) -> None:
        """Count a batch of a shape that has been compiled; times in seconds."""
        self.images += images
        self.data_seconds += data
        self.model_seconds += model
        self.post_seconds += post

    @property
    def total_seconds(self) -> float:
        """All stages of the timed images."""
        return self.data_seconds + self.model_seconds + self.post_seconds

    def images_per_second(self, seconds: float | None = None) -> float | None:
        """Speed over all stages, or of a stage that took ``seconds``; None if nothing was timed."""
        seconds = self.total_seconds if seconds is None else seconds
        return self.images / seconds if self.images and seconds > 0 else None


def format_speed(speed: Speed) -> str:
    """Two lines: images per second with the time of each stage, and what the compilations cost."""
    stages = (
        ("data", speed.data_seconds),
        ("model", speed.model_seconds),
        ("post", speed.post_seconds),
    )
    parts = ", ".join(f"{name} {_milliseconds(speed, spent)}" for name, spent in stages)
    everything = counted(speed.images + speed.warmup_images, "image")
    return (
        f"{_rate(speed.images_per_second())} images/s over {speed.images} of {everything} "
        f"(ms per image: {parts})\n"
        f"the other {speed.warmup_images}, first batch of {counted(speed.shapes, 'image shape')}, "
        f"with compilation: {speed.compile_seconds:.1f} s"
    )


def _rate(images_per_second: float | None) -> str:
    return "-" if images_per_second is None else f"{images_per_second:.2f}"


def _milliseconds(speed: Speed, spent: float) -> str:
    return f"{1000 * spent / speed.images:.1f}" if speed.images else "-"
