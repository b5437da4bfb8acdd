"""What the tests of the programs that freeze have in common."""

import pathlib
import types

import tensorflow as tf
from absl.testing import flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature


class TestCase(parameterized.TestCase):
    """Calls one program.

    Attributes:
      program: its module.
      folder: an empty folder.
    """

    program: types.ModuleType

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self._outputs = pathlib.Path(self.create_tempdir().full_path)

    def freeze(self, source: pathlib.Path, **values) -> tuple[bytes, signature.Signature]:
        """Freezes a source; returns the graph, serialized, and the signature."""
        graph, stated = self._outputs / "graph.pb", self._outputs / "signature.json"
        with flagsaver.flagsaver(
            source=str(source), output=str(graph), signature_output=str(stated), **values
        ):
            self.program.main(["freeze"])
        return graph.read_bytes(), signature.read(str(stated))

    def assert_refused(self, source: pathlib.Path, sentence: str, **values) -> None:
        """Checks that a source is refused with a sentence, and that nothing is written."""
        with self.assertRaises(cli.UserError) as caught:
            self.freeze(source, **values)
        self.assertRegex(str(caught.exception), sentence)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEmpty(list(self._outputs.iterdir()))


def run(graph: bytes, outputs: list[str], feeds: dict) -> list:
    """Runs a frozen graph.

    Args:
      graph: a serialized GraphDef.
      outputs: arrays.
      feeds: values by array.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(tf.compat.v1.GraphDef.FromString(graph), name="")
        names = [name if ":" in name else name + ":0" for name in outputs]
        return session.run(names, {name + ":0": value for name, value in feeds.items()})
