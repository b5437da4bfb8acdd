"""Changes the options of a detector's post-processing, such as regular or fast suppression.

Fast non-maximum suppression (NMS) takes the best class of each box and suppresses boxes across
classes. Regular NMS suppresses class by class (tensorflow/lite/kernels/detection_postprocess.cc).
"""

from collections.abc import Mapping

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.tflite_file import canonical, reader, structure
from reproducible_tflite.lib.tflite_file.schema import FILE_IDENTIFIER, operator_name, tflite


def variant(content: bytes, source: str, changes: Mapping[str, object]) -> bytes:
    """Returns a detector whose post-processing operator has other options.

    Args:
      content: the .tflite, untrusted.
      source: its name, for messages.
      changes: values by option, such as "use_regular_nms"; other options stay.

    Raises:
      cli.UserError: it is not a sound .tflite, or has no such operator with options.
    """
    operator = tasks.post_processing(reader.read(content, source))
    options = operator.decoded_custom_options if operator else None
    if not isinstance(options, dict):
        raise cli.UserError(f"{source}: has no {tasks.POST_PROCESS} with options to change.")
    builder = flexbuffers.Builder()
    builder.MapFromElements({**options, **changes})
    written = np.frombuffer(bytes(builder.Finish()), np.uint8)
    # Unpacking would lose the fields of a newer schema before the canonical writer sees them.
    structure.check(content, source)
    model = tflite.ModelT.InitFromPackedBuf(content)
    for op in model.subgraphs[0].operators:
        if operator_name(model.operatorCodes[op.opcodeIndex]) == tasks.POST_PROCESS:
            op.customOptions = written
    packed = flatbuffers.Builder(len(content))
    packed.Finish(model.Pack(packed), file_identifier=FILE_IDENTIFIER)
    return canonical.canonical_bytes(bytes(packed.Output()), source)
