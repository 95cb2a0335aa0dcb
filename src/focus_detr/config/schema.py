"""Every setting of Focus-DETR, typed: the one place where names, defaults and choices are fixed.

Defaults reproduce the published weights (R50, 12 epochs). ``loading.py`` fills these classes from
YAML and ``key=value`` overrides and refuses unknown keys and bad values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from focus_detr.io.user_paths import PathText

QuerySource = Literal[
    "mixed", "two_stage", "two_stage_mixed", "efficient", "learned_points", "learned_anchors"
]
# those whose queries are tokens, for which the encoder has heads
PROPOSING: tuple[QuerySource, ...] = ("mixed", "two_stage", "two_stage_mixed", "efficient")
LabelRows = Literal["classes", "one_more", "none"]

_RUN_FOLDER = PathText("runs/focus_detr_r50")

BackboneName = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "swin_tiny",
    "swin_small",
    "swin_base",
    "swin_large",
    "efficientnet_lite0",
]


@dataclass(frozen=True)
class BackboneConfig:
    """Feature extractor. ``width_factor`` and ``depths`` make small variants for tests."""

    name: BackboneName = "resnet50"
    width_factor: float = 1.0
    depths: tuple[int, ...] | None = None  # blocks per stage; None: the named network's own
    # 0: train all, as published with Swin; 1: stem frozen; 2..5: the first to fourth stage too
    freeze_at: int = 1
    window: int = 7  # Swin: cells along the side of an attention window
    drop_path: float | None = None  # Swin: largest rate of stochastic depth; None: its own
    # ImageNet checkpoint in our format (scripts/convert_weights.py)
    weights: PathText | None = None
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # RGB, 0..255
    pixel_std: tuple[float, float, float] = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class PositionConfig:
    """Sine position embedding; must equal what a checkpoint was trained with."""

    temperature: float = 10000.0  # 20 for the ResNet 24- and 36-epoch weights
    offset: float = -0.5  # 0 for the ResNet 24- and 36-epoch weights


@dataclass(frozen=True)
class ForegroundSelectorConfig:
    """Foreground token selector (FTS), section 3.2 of the paper."""

    enabled: bool = True  # False: tokens are ranked by nothing, all of them are refined
    supervised: bool = True  # False: no foreground loss (table 4)
    # focus: level by level, learns from the boxes; sparse: all levels at once, learns where the
    # decoder looks, and the encoder carries its tokens (Sparse DETR)
    kind: Literal["focus", "sparse"] = "focus"
    # whose looks a sparse selector learns; all: of denoising queries too
    attention_queries: Literal["matching", "all"] = "matching"
    # of the map of looks; True: put where the decoder reads, and not half a cell further
    half_pixel: bool = False
    # projection: of map plus position, shared with the proposals; map: the neck's (section 3.2)
    features: Literal["projection", "map"] = "projection"
    modulation: Literal["none", "top_down", "bottom_up"] = "top_down"
    # released: scales the features before the score MLP, whose LayerNorm cancels positive factors;
    # after_norm: scales what that LayerNorm puts out, so the modulation takes effect (equation 2)
    modulation_place: Literal["before_norm", "after_norm"] = "before_norm"
    label_intervals: tuple[tuple[float, float], ...] = (
        (-1.0, 64.0),
        (64.0, 128.0),
        (128.0, 256.0),
        (256.0, 999999.0),
    )  # pixels per level; the paper's method: (-1,64),(64,256),(128,512),(256,inf)
    label_distance: Literal["sides", "centre"] = (
        "sides"  # centre: the paper's checkerboard distance
    )


@dataclass(frozen=True)
class EncoderConfig:
    """Dual-attention encoder, section 3.3 and algorithm 1."""

    layers: int = 6
    ffn_width: int = 2048
    points: int = 4
    keep_ratio: float = 0.5  # of the tokens, in the first layer; 1.0 keeps all
    cascade: tuple[float, ...] = (1.0, 0.8, 0.6, 0.6, 0.4, 0.2)  # share of keep_ratio per layer
    dual_attention: bool = True
    object_tokens: int = 300
    object_score: Literal["logits", "probabilities"] = "logits"  # probabilities: equation 3
    category_head: Literal["encoder", "decoder_layer"] = "encoder"  # whose class head MCSP shares
    value: Literal["backbone", "memory"] = "backbone"  # memory: updated tokens (algorithm 1)
    auxiliary_heads: bool = False  # layers predict too, in training (Sparse DETR)
    dropout: float = 0.0  # 0.1 in Deformable DETR


@dataclass(frozen=True)
class QueriesConfig:
    """Where the decoder's queries come from; ``decoder.queries`` says how many there are."""

    # mixed: boxes of the best tokens, contents learned (DINO); two_stage: position and content
    # from the best tokens' boxes (Deformable DETR); two_stage_mixed: boxes of the best tokens,
    # positions from these, contents learned (Deformable-DETR++, DAC-DETR); efficient: the best
    # tokens' memory, positions from their boxes (Sparse DETR); learned_points: learned positions,
    # contents and points (Deformable DETR); learned_anchors: learned contents and boxes
    # (DN-Deformable-DETR)
    source: QuerySource = "mixed"
    content: Literal["learned", "memory"] = "learned"  # memory: of mixed queries, their tokens
    # what proposals learn and are ranked by: objects: whether there is one, by the first logit;
    # classes: the best one; None: as published, which is objects with both kinds of two_stage
    proposal_labels: Literal["objects", "classes"] | None = None


@dataclass(frozen=True)
class DecoderConfig:
    """The decoder; defaults are DINO's."""

    layers: int = 6
    ffn_width: int = 2048
    points: int = 4
    queries: int = 900
    dropout: float = 0.0  # 0.1 in Deformable DETR
    self_attention_dropout: float = 0.0  # of what it adds; 0.1 in the original Deformable DETR
    # of the queries: boxes: worked out anew from the boxes in each layer; constant: their source's
    position: Literal["boxes", "constant"] = "boxes"
    scale_position: bool = False  # true: multiplied by a function of the query (DN-Deformable-DETR)
    output_norm: bool = True  # of what the heads read
    refine: bool = True  # each layer starts from the boxes of the one before
    look_forward_twice: bool = True  # a layer's box loss also trains the layer before
    shared_heads: bool = False  # one pair of heads for all layers
    # a second pass without self-attention, in training only, whose queries gather around the boxes
    # (DAC-DETR); released: its first layer shares the decoder's self-attention; paper: it does not
    gathering: Literal["none", "released", "paper"] = "none"


@dataclass(frozen=True)
class PaddingConfig:
    """How much padded pixels may influence an image's result.

    none: padding is treated as image (the reference in evaluation); partial: attention and
    positions are masked but convolutions, norms and ranking limits see padding (the reference in
    training); full: an image's detections do not depend on its padding or its batch.
    All three are equal for an unpadded image.
    """

    training: Literal["none", "partial", "full"] = "partial"
    evaluation: Literal["none", "partial", "full"] = "full"


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    num_classes: int | None = None  # None: as many as the annotation file has
    width: int = 256
    heads: int = 8
    levels: int = 4  # 3: strides 8 to 32, 4: 8 to 64, 5: 4 to 64
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    position: PositionConfig = field(default_factory=PositionConfig)
    foreground_selector: ForegroundSelectorConfig = field(default_factory=ForegroundSelectorConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    queries: QueriesConfig = field(default_factory=QueriesConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    # smallest share on both sides of the logit of a box's number; 1e-5 in the original Deformable
    # DETR
    logit_epsilon: float = 1e-3
    # rows of the denoising queries' label embedding; one_more: than classes (DN-Deformable-DETR)
    label_rows: LabelRows = "classes"
    padding: PaddingConfig = field(default_factory=PaddingConfig)
    max_detections: int = 300
    # 0.7: of detections of one class that overlap by more (IoU), the best stays; None: all stay,
    # as published. A short training leaves duplicates, which a long one learns to avoid.
    overlap_limit: float | None = None
    # best pairs of query and class of an image that are compared with that limit; max_detections
    # of what is left are its detections. None: as many as max_detections
    overlap_candidates: int | None = None
    # how deformable attention is computed (docs/custom_op.md); auto: natively where possible
    msda: Literal["auto", "builtin", "custom", "composition"] = "auto"


@dataclass(frozen=True)
class AlignConfig:
    """IoU-aware classification and its mixed matching (Align-DETR)."""

    alpha: float = 0.25  # power of the score in a pair's quality; that of the IoU is 1 - alpha
    gamma: float = 2.0  # power of the score at background
    tau: float = 1.5  # a box's pairs weigh exp(-rank / tau)
    floor: float = 0.01  # smallest quality
    # queries matched to each box; an item for every decoder layer, or one for all of them
    repeats: tuple[int, ...] = (1,)
    encoder_repeats: int = 1
    encoder: Literal["align", "focal"] = "align"  # class loss of the encoder's predictions


@dataclass(frozen=True)
class OneToManyConfig:
    """Matching and loss of the gathering decoder (DAC-DETR)."""

    class_share: float = 0.3  # of the class score in a pair's score; the IoU has the rest
    threshold: float = 0.4
    most: int = 6  # queries of a box
    cap: int | None = None  # 75: most candidate queries of an image, as released
    boxes: Literal["one_to_one", "own"] = "one_to_one"  # whose boxes the IoU is of
    rule: Literal["released", "paper"] = "released"
    normaliser: float = 3.0  # times the number of boxes
    weight: float = 1.0  # of its three losses, besides their own weights
    first_layer: bool = True  # false: the first layer has no one-to-many loss


@dataclass(frozen=True)
class LossConfig:
    """Matching costs and loss weights."""

    classification: Literal["focal", "align"] = "focal"  # align: IoU-aware targets
    align: AlignConfig = field(default_factory=AlignConfig)
    one_to_many: OneToManyConfig = field(default_factory=OneToManyConfig)

    class_cost: float = 2.0
    box_cost: float = 5.0
    giou_cost: float = 2.0
    class_weight: float = 1.0
    encoder_class_weight: float | None = None  # of the encoder's proposals; None: class_weight
    denoising_class_weight: float | None = None  # likewise
    box_weight: float = 5.0
    giou_weight: float = 2.0
    giou_epsilon: float = 1e-6  # in the denominators, also of the matching; 1e-12: as good as none
    foreground_weight: float = 1.5
    foreground_normaliser: Literal["positives", "none"] = "positives"  # none: equation 7
    mask_prediction_weight: float = 1.0  # of a sparse selector's loss
    matcher: Literal["auto", "host", "graph"] = "auto"  # auto: host on CPU, graph elsewhere


@dataclass(frozen=True)
class DenoisingConfig:
    """Denoising queries."""

    kind: Literal["contrastive", "dn"] = "contrastive"  # of DINO or of DN-DETR
    number: int = 100  # contrastive: pairs for each image; dn: groups, 5; 0 switches denoising off
    label_noise: float = 0.5  # dn: 0.2
    box_noise: float = 1.0  # dn: 0.4
    gathering: bool = True  # denoising queries go through a gathering decoder too


@dataclass(frozen=True)
class DataConfig:
    """COCO json, Pascal VOC, YOLO text or packed; the format is detected."""

    train_annotations: PathText | None = None  # file or folder
    train_images: PathText | None = None  # folder; None: where the format usually has it
    val_annotations: PathText | None = None
    val_images: PathText | None = None
    # instead of val_annotations: validation images are taken from the training set
    val_fraction: float | None = None  # 0.1: about a tenth, chosen by name and val_seed
    val_seed: int = 0
    val_list: PathText | None = None  # text file with their names, one on each line
    # a picture that is missing or cannot be read; skip: left out, counted and warned about
    broken: Literal["skip", "error"] = "skip"
    filter_empty: bool = False  # True: drop training images without boxes, as the reference
    train_short_sides: tuple[int, ...] = (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
    train_max_side: int = 1333
    flip: float = 0.5
    vertical_flip: float = 0.0
    crop: float = 0.5  # probability of resize - crop - resize
    crop_short_sides: tuple[int, ...] = (400, 500, 600)
    crop_sides: tuple[int, int] = (384, 600)
    crop_least_visible: float = 0.0  # of a box's area inside the crop, or the box is dropped
    transpose: float = 0.0  # probability of exchanging rows and columns (pictures from above)
    colour: float = 0.0  # 0.2: every colour channel times a factor within 0.8 and 1.2
    test_short_side: int = 800
    test_max_side: int = 1333
    shape_buckets: tuple[tuple[int, int], ...] | None = None  # (H, W); None: from the size limits
    target_buckets: tuple[int, ...] = (100, 300)  # padded number of boxes per image
    workers: int = 2


@dataclass(frozen=True)
class ParameterGroup:
    """Weights whose name a regular expression finds; null: as without the group."""

    pattern: str = ""
    lr_factor: float | None = None  # of train.optimizer.lr; also instead of the backbone's factor
    weight_decay: float | None = None


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW."""

    lr: float = 1e-4
    backbone_lr_factor: float = 0.1
    weight_decay: float = 1e-4
    norm_weight_decay: float = 0.0
    clip_norm: float = 0.1  # largest global norm of the gradients; 0: none
    groups: tuple[ParameterGroup, ...] = ()  # the first one that sets something counts
    freeze: tuple[str, ...] = ()  # regular expressions of names that are not trained
    ema_decay: float = 0.0  # 0.9998: evaluate and save the moving average of the weights; 0: none


@dataclass(frozen=True)
class ScheduleConfig:
    """Step schedule in epochs with a linear warm-up in steps."""

    epochs: int = 12
    milestones: tuple[float, ...] = (11,)
    decay: float = 0.1
    warmup_steps: int = 0
    warmup_factor: float = 0.001


@dataclass(frozen=True)
class TrainConfig:
    """The run."""

    output_dir: PathText = _RUN_FOLDER
    # fine-tune from this; heads of another class count are new
    init_checkpoint: PathText | None = None
    batch_size: int = 2
    accumulate: int = 1  # batches per update
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"  # of large products; bf16 not on CPU
    recompute: tuple[Literal["backbone", "encoder", "decoder"], ...] = ()  # less memory, slower
    seed: int = 0
    log_every: int = 50
    eval_every: int = 1  # epochs, and after the last one; 0: never
    pictures: int = 2  # images drawn for TensorBoard after each evaluation; 0: none
    checkpoint_every: int = 0  # steps; 0: at the end of each epoch only
    keep_checkpoints: int = 0  # of the states saved, so many of the latest stay besides the last
    # folder for compiled graphs, which later runs and evaluations start with (CPU only)
    compile_cache: PathText | None = None
    spike_factor: float = 5.0  # a loss so many times the usual one is logged with its images; 0: no
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)


@dataclass(frozen=True)
class EvalConfig:
    """Evaluation."""

    batch_size: int = 1
    max_detections: int = 100  # of a class in an image that metrics compare; COCO's number is 100
    correlation: bool = False  # measure Corr: how much of the decoder's looks is on kept tokens


@dataclass(frozen=True)
class Config:
    """All of it."""

    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    denoising: DenoisingConfig = field(default_factory=DenoisingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
