"""Small models that TensorFlow Lite's interpreter can run."""

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models


def _quantized(maker: models.Maker, tensor: int, scale: float, zero_point: int) -> None:
    parameters = tflite.QuantizationParametersT()
    parameters.scale = np.array([scale], np.float32)
    parameters.zeroPoint = np.array([zero_point], np.int64)
    maker.graph.tensors[tensor].quantization = parameters


def doubled_sum(description: str = "made for a test", length: int = 4) -> bytes:
    """float32 [1, length]: (a + b) + (a + b). The inner sum is tensor 2."""
    maker = models.Maker()
    shape = [1, length]
    a, b, inner, result = (maker.tensor(name, shape) for name in ("a", "b", "inner", "result"))
    for inputs, output in (([a, b], inner), ([inner, inner], result)):
        add = maker.operator(tflite.BuiltinOperator.ADD, inputs, [output])
        add.builtinOptionsType = tflite.BuiltinOptions.AddOptions
        add.builtinOptions = tflite.AddOptionsT()
    maker.graph.inputs, maker.graph.outputs = (
        np.array([a, b], np.int32),
        np.array([result], np.int32),
    )
    maker.model.description = description
    return models.pack(maker.model)


def quantized_identity() -> bytes:
    """uint8 [1, 4] of scale 0.5 and zero point 10, dequantized."""
    maker = models.Maker()
    stored = maker.tensor("stored", [1, 4], kind=tflite.TensorType.UINT8)
    _quantized(maker, stored, 0.5, 10)
    result = maker.tensor("result", [1, 4])
    maker.operator(tflite.BuiltinOperator.DEQUANTIZE, [stored], [result])
    maker.graph.inputs, maker.graph.outputs = (
        np.array([stored], np.int32),
        np.array([result], np.int32),
    )
    return models.pack(maker.model)


def float_with_scale() -> bytes:
    """float32 [1, 4], negated; the file gives both ends a scale, which a runtime ignores."""
    maker = models.Maker()
    a, result = (maker.tensor(name, [1, 4]) for name in ("a", "result"))
    for tensor in (a, result):
        _quantized(maker, tensor, 0.5, 10)
    maker.operator(tflite.BuiltinOperator.NEG, [a], [result])
    maker.graph.inputs, maker.graph.outputs = np.array([a], np.int32), np.array([result], np.int32)
    return models.pack(maker.model)


def endless(growing: bool, claimed: int = 1) -> bytes:
    """Keeps or doubles float32 [1], for ever; takes a boolean condition, too.

    Args:
      growing: whether it doubles.
      claimed: the length of the loop's own tensor according to the file.
    """
    maker = models.Maker()
    main = maker.graph
    for name in ("condition", "body"):
        maker.graph = tflite.SubGraphT()
        maker.graph.name, maker.graph.tensors, maker.graph.operators = name, [], []
        ends = [maker.tensor("on", [1], kind=tflite.TensorType.BOOL), maker.tensor("x", [claimed])]
        maker.graph.inputs = np.array(ends, np.int32)
        maker.graph.outputs = np.array(ends[:1], np.int32)
        if name == "body":
            larger = maker.tensor("larger", [claimed])
            parts = ends[1:] * (2 if growing else 1)
            joined = maker.operator(tflite.BuiltinOperator.CONCATENATION, parts, [larger])
            joined.builtinOptionsType = tflite.BuiltinOptions.ConcatenationOptions
            joined.builtinOptions = tflite.ConcatenationOptionsT()
            maker.graph.outputs = np.array([ends[0], larger], np.int32)
        maker.model.subgraphs.append(maker.graph)
    maker.graph = main
    inputs = [maker.tensor("on", [1], kind=tflite.TensorType.BOOL), maker.tensor("x", [1])]
    outputs = [maker.tensor("off", [1], kind=tflite.TensorType.BOOL), maker.tensor("result", [1])]
    loop = maker.operator(tflite.BuiltinOperator.WHILE, inputs, outputs)
    loop.builtinOptionsType = tflite.BuiltinOptions.WhileOptions
    loop.builtinOptions = tflite.WhileOptionsT()
    loop.builtinOptions.condSubgraphIndex, loop.builtinOptions.bodySubgraphIndex = 1, 2
    main.inputs, main.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    return models.pack(maker.model)


def unknown_operator() -> bytes:
    """A custom operator that nobody has."""
    maker = models.Maker()
    a, result = maker.tensor("a", [1]), maker.tensor("result", [1])
    maker.operator(tflite.BuiltinOperator.CUSTOM, [a], [result], custom="NobodyHasThis")
    maker.graph.inputs, maker.graph.outputs = np.array([a], np.int32), np.array([result], np.int32)
    return models.pack(maker.model)


def empty() -> bytes:
    """No operator at all."""
    maker = models.Maker()
    a = maker.tensor("a", [1])
    maker.graph.inputs, maker.graph.outputs = np.array([a], np.int32), np.array([a], np.int32)
    return models.pack(maker.model)


def _float_constant(maker: models.Maker, name: str, values: np.ndarray) -> int:
    return maker.tensor(name, list(values.shape), values.astype(np.float32))


def post_processing(anchors: list[list[float]], max_detections: int) -> bytes:
    """TFLite_Detection_PostProcess alone, of two classes and fast suppression.

    Takes encoded boxes [1, anchors, 4] and scores [1, anchors, 3], the background's first.
    """
    maker = models.Maker()
    count = len(anchors)
    boxes = maker.tensor("boxes", [1, count, 4])
    scores = maker.tensor("scores", [1, count, 3])
    _post_process(maker, boxes, scores, anchors, max_detections)
    maker.graph.inputs = np.array([boxes, scores], np.int32)
    return models.pack(maker.model)


def _post_process(
    maker: models.Maker, boxes: int, scores: int, anchors: list[list[float]], max_detections: int
) -> None:
    table = _float_constant(maker, "anchors", np.array(anchors))
    name = "TFLite_Detection_PostProcess"
    shapes = ([1, max_detections, 4], [1, max_detections], [1, max_detections], [1])
    results = [maker.tensor(f"{name}:{i}", shape) for i, shape in enumerate(shapes)]
    operator = maker.operator(
        tflite.BuiltinOperator.CUSTOM, [boxes, scores, table], results, custom=name
    )
    options = {**models.POST_PROCESS_OPTIONS, "use_regular_nms": False}
    operator.customOptions = models.options({**options, "max_detections": max_detections})
    maker.graph.outputs = np.array(results, np.int32)


def detector(scores: list[list[float]], anchors: list[list[float]], side: int = 8) -> bytes:
    """A detector of uint8 pictures that finds its anchors with these scores in every one.

    Args:
      scores: [anchors][3], the background's first.
      anchors: (centre y, centre x, height, width) of each, parts of the picture.
      side: the picture's height and width.
    """
    maker = models.Maker()
    picture = maker.tensor("picture", [1, side, side, 3], kind=tflite.TensorType.UINT8)
    _quantized(maker, picture, 1 / 128, 128)
    boxes = _float_constant(maker, "boxes", np.zeros((1, len(anchors), 4)))
    score_table = _float_constant(maker, "scores", np.array([scores]))
    _post_process(maker, boxes, score_table, anchors, 3)
    maker.graph.inputs = np.array([picture], np.int32)
    return models.pack(maker.model)


def _pictured(side: int, shape: list[int], code: int, name: str) -> models.Maker:
    """A model of one operator that takes a float picture [1, side, side, 3] and gives a tensor."""
    maker = models.Maker()
    picture, result = maker.tensor("picture", [1, side, side, 3]), maker.tensor("result", shape)
    inputs = [picture]
    if code == tflite.BuiltinOperator.MEAN:
        inputs.append(
            maker.tensor("axes", [2], np.array([1, 2], np.int32), tflite.TensorType.INT32)
        )
    if code == tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR:
        size = np.array(shape[1:3], np.int32)
        inputs.append(maker.tensor("size", [2], size, tflite.TensorType.INT32))
    operator = maker.operator(code, inputs, [result])
    operator.builtinOptionsType = getattr(tflite.BuiltinOptions, f"{name}Options")
    operator.builtinOptions = getattr(tflite, f"{name}OptionsT")()
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return maker


def mean_colour(
    description: str = "made for a test",
    side: int = 8,
    softmax: bool = False,
    rank: bool = True,
    scale: float = 0.0,
) -> bytes:
    """A classifier of three classes whose logits are the mean red, green and blue.

    Args:
      description: the model's.
      side: the picture's height and width.
      softmax: whether it gives probabilities instead of logits, through a reshape.
      rank: whether the file says the output's shape.
      scale: of the float output, where a runtime ignores it.
    """
    maker = _pictured(side, [1, 3] if rank else [], tflite.BuiltinOperator.MEAN, "Reducer")
    if scale:
        _quantized(maker, int(maker.graph.outputs[0]), scale, 0)
    if softmax:
        probabilities = maker.tensor("probabilities", [1, 3])
        result = maker.tensor("reshaped", [1, 1, 1, 3] if rank else [])
        shape = np.array([1, 1, 1, 3], np.int32)
        new_shape = maker.tensor("shape", [4], shape, tflite.TensorType.INT32)
        operator = maker.operator(
            tflite.BuiltinOperator.SOFTMAX, list(maker.graph.outputs), [probabilities]
        )
        operator.builtinOptionsType = tflite.BuiltinOptions.SoftmaxOptions
        operator.builtinOptions = tflite.SoftmaxOptionsT()
        operator.builtinOptions.beta = 1.0
        maker.operator(tflite.BuiltinOperator.RESHAPE, [probabilities, new_shape], [result])
        maker.graph.outputs = np.array([result], np.int32)
    maker.model.description = description
    return models.pack(maker.model)


def flat_map(side: int = 8) -> bytes:
    """The mean of a picture's channels, flat: [1, side * side]."""
    maker = models.Maker()
    picture, mean = maker.tensor("picture", [1, side, side, 3]), maker.tensor("m", [1, side, side])
    result = maker.tensor("result", [1, side * side])
    axes = maker.tensor("axes", [1], np.array([3], np.int32), tflite.TensorType.INT32)
    shape = np.array([1, side * side], np.int32)
    new_shape = maker.tensor("shape", [2], shape, tflite.TensorType.INT32)
    operator = maker.operator(tflite.BuiltinOperator.MEAN, [picture, axes], [mean])
    operator.builtinOptionsType = tflite.BuiltinOptions.ReducerOptions
    operator.builtinOptions = tflite.ReducerOptionsT()
    maker.operator(tflite.BuiltinOperator.RESHAPE, [mean, new_shape], [result])
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return models.pack(maker.model)


def argmax_map(side: int = 8) -> bytes:
    """A segmenter that gives the strongest channel of each pixel, int32 [1, side, side]."""
    maker = models.Maker()
    picture = maker.tensor("picture", [1, side, side, 3])
    result = maker.tensor("result", [1, side, side], kind=tflite.TensorType.INT32)
    axis = maker.tensor("axis", [1], np.array([3], np.int32), tflite.TensorType.INT32)
    operator = maker.operator(tflite.BuiltinOperator.ARG_MAX, [picture, axis], [result])
    operator.builtinOptionsType = tflite.BuiltinOptions.ArgMaxOptions
    operator.builtinOptions = tflite.ArgMaxOptionsT()
    operator.builtinOptions.outputType = tflite.TensorType.INT32
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return models.pack(maker.model)


def channel_scores(side: int = 8) -> bytes:
    """A segmenter that gives scores [1, side, side, 3] of the classes red, green and blue."""
    maker = _pictured(
        side,
        [1, side, side, 3],
        tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR,
        "ResizeNearestNeighbor",
    )
    return models.pack(maker.model)


def doubled_picture(side: int = 8, description: str = "made for a test") -> bytes:
    """A super resolution that repeats every pixel in both directions."""
    maker = _pictured(
        side,
        [1, 2 * side, 2 * side, 3],
        tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR,
        "ResizeNearestNeighbor",
    )
    maker.model.description = description
    return models.pack(maker.model)


def doubled_picture_of_any_size() -> bytes:
    """The same for pictures of any size, which the file states as pictures of one pixel."""
    maker = models.Maker()
    picture, result = maker.tensor("picture", [1, 1, 1, 3]), maker.tensor("result", [1, 1, 1, 3])
    for tensor in (picture, result):
        maker.graph.tensors[tensor].shapeSignature = np.array([1, -1, -1, 3], np.int32)
    fourfold = maker.tensor("fourfold", [1, 1, 1, 12])
    concatenation = maker.operator(tflite.BuiltinOperator.CONCATENATION, [picture] * 4, [fourfold])
    concatenation.builtinOptionsType = tflite.BuiltinOptions.ConcatenationOptions
    concatenation.builtinOptions = tflite.ConcatenationOptionsT()
    concatenation.builtinOptions.axis = 3
    spread = maker.operator(tflite.BuiltinOperator.DEPTH_TO_SPACE, [fourfold], [result])
    spread.builtinOptionsType = tflite.BuiltinOptions.DepthToSpaceOptions
    spread.builtinOptions = tflite.DepthToSpaceOptionsT()
    spread.builtinOptions.blockSize = 2
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return models.pack(maker.model)


def ranked_classes(classes: int, best: list[int], rank: bool = True) -> bytes:
    """A classifier of float pictures of 8x8 that says the same of every one.

    Args:
      classes: how many it knows.
      best: the likeliest ones, best first.
      rank: whether the file says the output's shape.
    """
    maker = models.Maker()
    picture = maker.tensor("picture", [1, 8, 8, 3])
    scores = np.zeros((1, classes), np.float32)
    scores[0, best] = np.arange(len(best), 0, -1)
    score_table = _float_constant(maker, "scores", scores)
    axes = maker.tensor("axes", [3], np.array([1, 2, 3], np.int32), tflite.TensorType.INT32)
    mean, nothing = maker.tensor("mean", [1]), maker.tensor("nothing", [1])
    result = maker.tensor("result", [1, classes] if rank else [])
    for code, name, inputs, output in (
        (tflite.BuiltinOperator.MEAN, "Reducer", [picture, axes], mean),
        (tflite.BuiltinOperator.SUB, "Sub", [mean, mean], nothing),
        (tflite.BuiltinOperator.ADD, "Add", [score_table, nothing], result),
    ):
        operator = maker.operator(code, inputs, [output])
        operator.builtinOptionsType = getattr(tflite.BuiltinOptions, f"{name}Options")
        operator.builtinOptions = getattr(tflite, f"{name}OptionsT")()
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return models.pack(maker.model)


def encoded_boxes(side: int = 8) -> bytes:
    """A detector without post-processing: the picture's pixels as boxes [1, pixels * 3 / 4, 4]."""
    maker = models.Maker()
    picture = maker.tensor("picture", [1, side, side, 3])
    shape = [1, side * side * 3 // 4, 4]
    new_shape = maker.tensor("shape", [3], np.array(shape, np.int32), tflite.TensorType.INT32)
    results = [maker.tensor(name, shape) for name in ("boxes", "more")]
    for result in results:
        operator = maker.operator(tflite.BuiltinOperator.RESHAPE, [picture, new_shape], [result])
        operator.builtinOptionsType = tflite.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = tflite.ReshapeOptionsT()
    maker.graph.inputs = np.array([picture], np.int32)
    maker.graph.outputs = np.array(results, np.int32)
    return models.pack(maker.model)


def question_answering(length: int = 16, worth: np.ndarray | None = None) -> bytes:
    """A model of three int32 [1, length] that gives what each token is worth as both logits.

    Args:
      length: how many tokens it takes.
      worth: float32 [tokens].
    """
    table = np.zeros((2, 1), np.float32) if worth is None else worth.reshape(-1, 1)
    maker = models.Maker()
    shape = [1, length]
    inputs = [
        maker.tensor(name, shape, kind=tflite.TensorType.INT32)
        for name in ("input_ids", "input_mask", "segment_ids")
    ]
    embeddings = _float_constant(maker, "embeddings", table)
    new_shape = maker.tensor("shape", [2], np.array(shape, np.int32), tflite.TensorType.INT32)
    looked_up = maker.tensor("looked_up", [*shape, 1])
    gather = maker.operator(tflite.BuiltinOperator.GATHER, [embeddings, inputs[0]], [looked_up])
    gather.builtinOptionsType = tflite.BuiltinOptions.GatherOptions
    gather.builtinOptions = tflite.GatherOptionsT()
    results = [maker.tensor(name, shape) for name in ("end_logits", "start_logits")]
    for result in results:
        reshape = maker.operator(tflite.BuiltinOperator.RESHAPE, [looked_up, new_shape], [result])
        reshape.builtinOptionsType = tflite.BuiltinOptions.ReshapeOptions
        reshape.builtinOptions = tflite.ReshapeOptionsT()
    maker.graph.inputs = np.array(inputs, np.int32)
    maker.graph.outputs = np.array(results, np.int32)
    return models.pack(maker.model)
