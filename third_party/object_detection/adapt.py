"""Makes the Object Detection API, from its pinned sdist, usable under TensorFlow 2.15 to 2.17.

    adapt.py SDIST OUTPUT PROTOC_SITE

SDIST is tf-models-research-object-detection 2.5.0.post2, OUTPUT a new directory that becomes an
entry of sys.path (packages `object_detection`, slim's `nets`, `deeplab`), PROTOC_SITE a directory
with grpcio-tools. Only files for graph construction and export are kept. All changes of the genuine
code are in `REPLACEMENTS`. Run it with the workspace root on PYTHONPATH.
"""

import importlib
import os
import re
import sys

from third_party.adapt import source_tree
from third_party.adapt.source_tree import Replacement

_PACKAGES = (
    "anchor_generators|box_coders|builders|core|data_decoders|matchers|meta_architectures|models"
    "|predictors|utils"
)
_KEPT = re.compile(
    "|".join(
        (
            r"object_detection/(__init__|exporter|export_tflite_ssd_graph(_lib)?)\.py",
            rf"object_detection/({_PACKAGES})/.*\.py",
            r"object_detection/protos/(__init__\.py|.*\.proto)",
            r"object_detection/samples/configs/(ssd_mobilenet|ssdlite_mobiledet).*\.config",
            r"slim/nets/.*\.py",
            r"deeplab/(core/)?__init__\.py",
            r"deeplab/(common|model|core/(dense_prediction_cell|feature_extractor|utils))\.py",
            # The archive has no licence text: PKG-INFO states Apache 2.0, and every source file
            # keeps its licence header.
            r"PKG-INFO",
        )
    )
)
_TEST = re.compile(r"(_test|/test_[^/]*)\.py$")

_EXPORTER = "object_detection/export_tflite_ssd_graph_lib.py"
_REQUIRED = (
    _EXPORTER,
    "object_detection/protos/pipeline.proto",
    "object_detection/samples/configs/ssdlite_mobiledet_edgetpu_320x320_coco_sync_4x4.config",
    "nets/mobilenet/mobilenet_v3.py",
    "deeplab/model.py",
)

# DeepLab was written for TensorFlow 1.15 and its contrib.slim, which tf-slim continues.
_DEEPLAB_TENSORFLOW = ("common", "model", "core/dense_prediction_cell", "core/utils")
_OTHER_BACKBONES = "nas_network|resnet_v1_beta|xception"
_DEEPLAB_SLIM = ("model", "core/dense_prediction_cell", "core/feature_extractor", "core/utils")


def _import_moved(path: str, statement: str, use: str) -> tuple[Replacement, Replacement]:
    """Moves a module's import to the line in front of its use."""
    indentation = use[: len(use) - len(use.lstrip())]
    return Replacement(path, statement, ""), Replacement(path, use, indentation + statement + use)


REPLACEMENTS = (
    # The graph code asks this module whether it runs under TensorFlow 1, partly during imports. The
    # answer depends on TensorFlow's own switch, so the switch is set here.
    Replacement(
        "object_detection/utils/tf_version.py",
        "from tensorflow.python import tf2  # pylint: disable=import-outside-toplevel\n",
        "import tensorflow.compat.v1 as tf\n"
        "from tensorflow.python import tf2  # pylint: disable=import-outside-toplevel\n"
        "\n"
        "tf.logging.set_verbosity(tf.logging.ERROR)\n"
        "tf.disable_v2_behavior()\n",
    ),
    # contrib.quantize comes from third_party/contrib_quantize, under another name.
    Replacement(
        "object_detection/builders/graph_rewriter_builder.py",
        """try:
  from tensorflow.contrib import quantize as contrib_quantize
except ImportError:
  # TF 2.0 doesn't ship with contrib.
  pass
""",
        "import contrib_quantize\n",
    ),
    Replacement(
        "object_detection/exporter.py",
        """try:
  from tensorflow.contrib import tfprof as contrib_tfprof
  from tensorflow.contrib.quantize.python import graph_matcher
except ImportError:
  # TF 2.0 doesn't ship with contrib.
  pass
""",
        "from contrib_quantize.python import graph_matcher\n",
    ),
    # These modules are for training only and need contrib.image, scipy and matplotlib, so they are
    # imported where they are used.
    *_import_moved(
        "object_detection/matchers/bipartite_matcher.py",
        "from tensorflow.contrib.image.python.ops import image_ops\n",
        "    _, match_results = image_ops",
    ),
    *_import_moved(
        "object_detection/core/densepose_ops.py",
        "import scipy.io\n",
        "      data = scipy.io.loadmat(f)\n",
    ),
    *_import_moved(
        "object_detection/matchers/hungarian_matcher.py",
        "from scipy.optimize import linear_sum_assignment\n",
        "        row_indices, col_indices = linear_sum_assignment",
    ),
    Replacement(
        "object_detection/meta_architectures/ssd_meta_arch.py",
        "from object_detection.utils import visualization_utils\n",
        "",
    ),
    Replacement(
        "object_detection/meta_architectures/ssd_meta_arch.py",
        "  def _summarize_anchor_classification_loss(self, class_ids, cls_losses):\n",
        "  def _summarize_anchor_classification_loss(self, class_ids, cls_losses):\n"
        "    from object_detection.utils import visualization_utils\n",
    ),
    # numpy 1.24 dropped the alias.
    Replacement(
        "nets/mobilenet/mobilenet_v3.py",
        "'num_outputs': np.int(np.round(",
        "'num_outputs': int(np.round(",
    ),
    # NASNet needs contrib.training for its hyperparameters, which no longer exists.
    Replacement("nets/nets_factory.py", re.compile(r".*\bp?nasnet\b.*\n"), "", times=12),
    *(
        Replacement(
            f"deeplab/{module}.py",
            "import tensorflow as tf\n",
            "import tensorflow.compat.v1 as tf\n",
        )
        for module in _DEEPLAB_TENSORFLOW
    ),
    *(
        Replacement(
            f"deeplab/{module}.py",
            "from tensorflow.contrib import slim as contrib_slim\n",
            "import tf_slim as contrib_slim\n",
        )
        for module in _DEEPLAB_SLIM
    ),
    Replacement(
        "deeplab/core/utils.py",
        "from tensorflow.contrib import framework as contrib_framework\n",
        "",
    ),
    # Only the MobileNet backbones are kept; the others need more of contrib.
    Replacement(
        "deeplab/core/feature_extractor.py",
        re.compile(rf"(?:from deeplab\.core import |    '\w+': )(?:{_OTHER_BACKBONES})\b.*\n"),
        "",
        times=25,
    ),
    # TransformGraph left TensorFlow; extract_sub_graph keeps exactly the nodes that the outputs
    # need, as strip_unused_nodes without inputs does.
    Replacement(
        _EXPORTER,
        "if tf_version.is_tf1():\n"
        "  from tensorflow.tools.graph_transforms import TransformGraph"
        "  # pylint: disable=g-import-not-at-top\n",
        "",
    ),
    Replacement(_EXPORTER, "from object_detection.utils import tf_version\n", ""),
    Replacement(
        _EXPORTER,
        """  input_names = []
  output_names = ['TFLite_Detection_PostProcess'
                 ] + list(additional_output_tensors)
  transforms = ['strip_unused_nodes']
  transformed_graph_def = TransformGraph(frozen_graph_def, input_names,
                                         output_names, transforms)
""",
        """  output_names = ['TFLite_Detection_PostProcess'
                 ] + list(additional_output_tensors)
  transformed_graph_def = tf.graph_util.extract_sub_graph(
      frozen_graph_def, output_names)
""",
    ),
    # The complete graph can be compared with the checkpoint before anything is restored.
    Replacement(
        _EXPORTER,
        "                        txt_graph_name='tflite_graph.pbtxt',\n"
        "                        additional_output_tensors=()):\n",
        "                        additional_output_tensors=(),\n"
        "                        check_checkpoint=None):\n",
    ),
    Replacement(
        _EXPORTER,
        "    txt_graph_name: Name of the exported graph file in text format.\n",
        "",
    ),
    Replacement(
        _EXPORTER,
        "      Additional tensors are appended to the end of output tensor list.\n\n  Raises",
        "      Additional tensors are appended to the end of output tensor list.\n"
        "    check_checkpoint: Called with the complete graph and the checkpoint's prefix\n"
        "      before the checkpoint is restored.\n\n  Raises",
    ),
    Replacement(
        _EXPORTER,
        "  saver = tf.train.Saver(**saver_kwargs)\n",
        "  if check_checkpoint is not None:\n"
        "    check_checkpoint(tf.get_default_graph(), checkpoint_to_use)\n"
        "  saver = tf.train.Saver(**saver_kwargs)\n",
    ),
    # Protobuf maps have no fixed order, and the 48 MB text form is not needed.
    Replacement(
        _EXPORTER,
        """    f.write(transformed_graph_def.SerializeToString())
  txt_graph = os.path.join(output_dir, txt_graph_name)
  with tf.gfile.GFile(txt_graph, 'w') as f:
    f.write(str(transformed_graph_def))
""",
        "    f.write(transformed_graph_def.SerializeToString(deterministic=True))\n",
    ),
)


def place(member: str) -> str | None:
    """Returns the path in the tree of an sdist's member; None to leave it out."""
    path = member.partition("/")[2]
    if not _KEPT.fullmatch(path) or _TEST.search(path):
        return None
    return path.removeprefix("slim/")


def compile_protos(directory: str, protoc_site: str) -> None:
    """Compiles object_detection/protos/*.proto below `directory`; the sdist's modules are too old.

    Args:
      directory: the written tree.
      protoc_site: a directory with grpcio-tools.

    Raises:
      AdaptError: grpcio-tools does not import, or protoc refuses a file.
    """
    sys.path.insert(0, protoc_site)
    try:
        protoc = importlib.import_module("grpc_tools.protoc")
    except ImportError as error:
        raise source_tree.AdaptError(
            f"{protoc_site}: grpcio-tools cannot be imported from there: {error}."
        ) from error
    protos = os.path.join(directory, "object_detection", "protos")
    names = sorted(name for name in os.listdir(protos) if name.endswith(".proto"))
    arguments = ["protoc", f"--proto_path={directory}", f"--python_out={directory}"]
    if protoc.main(arguments + [os.path.join(protos, name) for name in names]):
        raise source_tree.AdaptError(f"{protos}: protoc failed; its message is above.")


def main() -> None:
    """Reads the command line and writes the tree."""
    if len(sys.argv) != 4:
        raise source_tree.AdaptError("usage: adapt.py SDIST OUTPUT PROTOC_SITE.")
    sdist, output, protoc_site = sys.argv[1:]
    files = source_tree.read_archive(sdist, place)
    source_tree.require(sdist, files, _REQUIRED)
    # The sdist has Windows line ends.
    files = {path: content.replace(b"\r\n", b"\n") for path, content in files.items()}
    source_tree.write_tree(source_tree.replace(files, REPLACEMENTS), output)
    compile_protos(output, protoc_site)


if __name__ == "__main__":
    source_tree.run(main)
