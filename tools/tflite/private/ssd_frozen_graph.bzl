"""The Object Detection API's own TFLite export of an SSD model."""

load(":errors.bzl", "check_least", "fail_attribute")
load(":frozen_graph.bzl", "frozen_graph_providers")
load(":numbers.bzl", "parse_number")
load(":pipeline_config.bzl", "PIPELINE_CONFIG_ATTRS", "merge_pipeline_config")
load(":preprocessing.bzl", "PREPROCESSING_ATTRIBUTE")
load(":program.bzl", "program")
load(":providers.bzl", "CheckpointInfo", "FrozenGraphInfo")

_THRESHOLDS = """
model {{
  ssd {{
    post_processing {{
      batch_non_max_suppression {{
{}
      }}
    }}
  }}
}}
"""

# The exported graph's input, its detections, and the inputs of the post-processing.
_ARRAYS = [
    "normalized_input_image_tensor",
    "TFLite_Detection_PostProcess",
    "TFLite_Detection_PostProcess:1",
    "TFLite_Detection_PostProcess:2",
    "TFLite_Detection_PostProcess:3",
    "raw_outputs/box_encodings",
    "raw_outputs/class_predictions",
]

def _ssd_frozen_graph_impl(ctx):
    thresholds = []
    for attribute in ["score_threshold", "iou_threshold"]:
        given = getattr(ctx.attr, attribute)
        if given == "None":
            continue
        thresholds.append("        {}: {}".format(attribute, given))
        number = parse_number(given)
        if number == None or number < 0 or number > 1:
            fail_attribute(ctx, attribute, given, "give a number from 0 to 1")
    check_least(ctx, {"detections_per_class": 1, "max_classes_per_detection": 1, "max_detections": 1})

    checkpoint = ctx.attr.checkpoint[CheckpointInfo]
    config = ctx.actions.declare_file(ctx.label.name + ".config")
    override = _THRESHOLDS.format("\n".join(thresholds)) if thresholds else ""
    merge_pipeline_config(ctx, ctx.file.pipeline_config, override, config)

    graph = ctx.actions.declare_file(ctx.label.name + ".pb")
    arguments = ctx.actions.args()
    arguments.add("--pipeline_config", config)
    arguments.add("--checkpoint", checkpoint.prefix)
    arguments.add("--max_detections", ctx.attr.max_detections)
    arguments.add("--max_classes_per_detection", ctx.attr.max_classes_per_detection)
    arguments.add("--detections_per_class", ctx.attr.detections_per_class)
    arguments.add("--use_regular_nms" if ctx.attr.use_regular_nms else "--nouse_regular_nms")
    arguments.add("--output", graph)
    ctx.actions.run(
        executable = ctx.executable._export,
        arguments = [arguments],
        inputs = depset([config], transitive = [checkpoint.files]),
        outputs = [graph],
        mnemonic = "ExportTfliteSsdGraph",
        progress_message = "Exporting the frozen graph of %{label}",
    )
    return frozen_graph_providers(
        ctx,
        graph,
        checkpoint,
        ctx.attr.preprocessing,
        _ARRAYS,
        config = depset([config]),
    )

_ssd_frozen_graph = rule(
    implementation = _ssd_frozen_graph_impl,
    attrs = dict(
        PIPELINE_CONFIG_ATTRS,
        checkpoint = attr.label(doc = "The weights.", mandatory = True, providers = [CheckpointInfo]),
        pipeline_config = attr.label(
            doc = "The model's pipeline config.",
            allow_single_file = [".config"],
            mandatory = True,
        ),
        # Attributes have no floating-point type, so these two are text.
        score_threshold = attr.string(doc = "See `ssd_frozen_graph`.", mandatory = True),
        iou_threshold = attr.string(doc = "See `ssd_frozen_graph`.", mandatory = True),
        max_detections = attr.int(doc = "See `ssd_frozen_graph`.", mandatory = True),
        max_classes_per_detection = attr.int(doc = "See `ssd_frozen_graph`.", mandatory = True),
        detections_per_class = attr.int(doc = "See `ssd_frozen_graph`.", mandatory = True),
        use_regular_nms = attr.bool(doc = "See `ssd_frozen_graph`.", mandatory = True),
        preprocessing = PREPROCESSING_ATTRIBUTE,
        _export = program("//tools/steps/export:export_ssd"),
    ),
    provides = [FrozenGraphInfo],
)

def ssd_frozen_graph(
        name,
        checkpoint,
        pipeline_config,
        max_detections,
        use_regular_nms,
        score_threshold = None,
        iou_threshold = None,
        max_classes_per_detection = 1,
        detections_per_class = 100,
        preprocessing = "minus_one_to_one",
        **kwargs):
    """An SSD model's inference graph with its post-processing, exported by the Object Detection API for TFLite.

    Makes `NAME.pb`, in canonical form. Output group `config`: the pipeline config.

    Args:
      name: the graph's name.
      checkpoint: the weights, a target with CheckpointInfo.
      pipeline_config: the model's pipeline config.
      max_detections: int: the number of detections that the model gives.
      use_regular_nms: bool: whether non-maximum suppression runs per class (regular), or over all at once (fast).
      score_threshold: float: the least score, from 0 to 1, of a detection; None for the config's own.
      iou_threshold: float: the overlap, from 0 to 1, above which the weaker of two boxes of a class is dropped;
        None for the config's own.
      max_classes_per_detection: the most classes of a box; for fast NMS.
      detections_per_class: the most boxes of a class; for regular NMS.
      preprocessing: the feature extractor's preprocessing; all MobileNets and MobileDets use [-1, 1].
      **kwargs: attributes that every rule has.
    """
    _ssd_frozen_graph(
        name = name,
        checkpoint = checkpoint,
        detections_per_class = detections_per_class,
        iou_threshold = str(iou_threshold),
        max_classes_per_detection = max_classes_per_detection,
        max_detections = max_detections,
        pipeline_config = pipeline_config,
        preprocessing = preprocessing,
        score_threshold = str(score_threshold),
        use_regular_nms = use_regular_nms,
        **kwargs
    )
