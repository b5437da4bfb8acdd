"""Reads, overrides and writes the Object Detection API's pipeline configs."""

import contextlib
from collections.abc import Iterator

from google.protobuf import text_format
from object_detection.protos import pipeline_pb2

from reproducible_tflite.lib.cli import cli

PipelineConfig = pipeline_pb2.TrainEvalPipelineConfig


def merge(config: PipelineConfig, text: bytes, source: str) -> None:
    """Merges a text proto into `config`, as the genuine exporter does with its override.

    A singular field takes the new value, a repeated field grows, a message merges field by field.

    Args:
      config: the config to change.
      text: a TrainEvalPipelineConfig or a part of one, as text proto in UTF-8.
      source: the text's origin, for messages.

    Raises:
      UserError: the text is not such a config; the message has the line and column.
    """
    try:
        text_format.Merge(text.decode("utf-8"), config)
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{source}: is not a text file: {error}.") from error
    except text_format.ParseError as error:
        # The message starts with "line:column : " if the parser knows the place.
        message = str(error).rpartition(" : ")[2].rstrip(".")
        place = f":{error.GetLine()}:{error.GetColumn()}" if error.GetLine() else ""
        raise cli.UserError(
            f"{source}{place}: is not a pipeline config of the Object Detection API: {message}."
        ) from error


def read(path: str) -> PipelineConfig:
    """Reads a pipeline config.

    Raises:
      UserError: the file cannot be read or is not a pipeline config.
    """
    config = PipelineConfig()
    merge(config, cli.read_file(path, "pipeline config"), path)
    return config


def check_ssd(config: PipelineConfig, source: str) -> None:
    """Raises UserError unless the config describes an SSD model with a fixed input size."""
    model = config.model.WhichOneof("model")
    if model != "ssd":
        raise cli.UserError(
            f"{source}: describes {model or 'no'} model, but only ssd models can be exported."
        )
    resizer = config.model.ssd.image_resizer.WhichOneof("image_resizer_oneof")
    if resizer != "fixed_shape_resizer":
        raise cli.UserError(
            f"{source}: the image_resizer is {resizer or 'absent'}, but an exported model needs a"
            " fixed_shape_resizer."
        )


@contextlib.contextmanager
def builder_errors(source: str) -> Iterator[None]:
    """Turns the Object Detection API's ValueError for a bad config into a UserError."""
    try:
        yield
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise cli.UserError(
            f"{source}: the Object Detection API cannot build this model: {reason}."
        ) from error


def to_text(config: PipelineConfig) -> str:
    """Renders a config as text proto: fields in the order of their numbers, no comments."""
    return text_format.MessageToString(config)
