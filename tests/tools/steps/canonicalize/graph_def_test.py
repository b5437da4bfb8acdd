import os
import random

from absl.testing import absltest
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.canonicalize import graph_def
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/canonicalize/canonicalize_graph_def.py"
# The attributes of `pool` beyond ksize, strides and padding have their default values.
_GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: 1 } } } } }
node { name: "pool" op: "MaxPool" input: "x"
  attr { key: "ksize" value { list { i: [1, 2, 2, 1] } } }
  attr { key: "strides" value { list { i: [1, 2, 2, 1] } } }
  attr { key: "padding" value { s: "SAME" } }
  attr { key: "T" value { type: DT_FLOAT } }
  attr { key: "data_format" value { s: "NHWC" } }
  attr { key: "explicit_paddings" value { list {} } } }
node { name: "custom" op: "TFLite_Detection_PostProcess" input: "pool" input: "^x"
  attr { key: "max_detections" value { i: 10 } }
  attr { key: "use_regular_nms" value { b: false } }
  attr { key: "_output_quantized" value { b: true } }
  experimental_debug_info { original_node_names: "old" } }
versions { producer: 1645 }
library {}
"""


def _graph():
    return text_format.Parse(_GRAPH, graph_pb2.GraphDef())


def _canonical(graph):
    return graph_def.canonical_bytes(graph.SerializeToString(), "x.pb")


def _varint(number):
    return bytes([number & 127 | 128]) + _varint(number >> 7) if number > 127 else bytes([number])


def _in_another_map_order(graph, seed):
    """Returns the same graph with its maps serialised in another order."""
    message = graph_pb2.GraphDef()
    message.CopyFrom(graph)
    del message.node[:]
    written = message.SerializeToString()
    for node in graph.node:
        attributes = list(node.attr.items())
        random.Random(seed).shuffle(attributes)
        bare = type(node)()
        bare.CopyFrom(node)
        bare.attr.clear()
        parts = [bare.SerializeToString()]
        for key, value in attributes:
            one = type(node)()
            one.attr[key].CopyFrom(value)
            parts.append(one.SerializeToString())
        # Concatenated messages merge: these parts are one node, in field 1 of the graph.
        body = b"".join(parts)
        written += b"\x0a" + _varint(len(body)) + body
    return written


class GraphDefTest(absltest.TestCase):
    def _assert_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, f"^x.pb: {message}"):
            graph_def.canonical_bytes(content, "x.pb")

    def test_map_order_does_not_matter(self):
        expected, seen = _canonical(_graph()), set()
        for seed in range(8):
            content = _in_another_map_order(_graph(), seed)
            seen.add(content)
            self.assertEqual(graph_def.canonical_bytes(content, "x.pb"), expected)
        self.assertGreater(len(seen), 4)
        self.assertEqual(graph_def.canonical_bytes(expected, "x.pb"), expected)

    def test_only_defaults_and_debug_information_go(self):
        expected = _graph()
        for name in ("T", "data_format", "explicit_paddings"):
            del expected.node[1].attr[name]
        expected.node[2].ClearField("experimental_debug_info")
        expected.ClearField("library")
        self.assertEqual(graph_pb2.GraphDef.FromString(_canonical(_graph())), expected)

    def test_values_other_than_defaults_stay(self):
        graph = _graph()
        graph.node[1].attr["data_format"].s = b"NCHW"
        kept = graph_pb2.GraphDef.FromString(_canonical(graph)).node[1].attr["data_format"].s
        self.assertEqual(kept, b"NCHW")

    def test_functions_stay(self):
        graph = _graph()
        graph.library.function.add().signature.name = "f"
        kept = graph_pb2.GraphDef.FromString(_canonical(graph)).library
        self.assertEqual(kept, graph.library)

    def test_inputs_come_first(self):
        graph = _graph()
        nodes = list(reversed(_graph().node))
        del graph.node[:]
        graph.node.extend(nodes)
        self.assertEqual(_canonical(graph), _canonical(_graph()))

    def test_loops_are_graphs_too(self):
        graph = _graph()
        for name, operator, inputs in (
            ("merge", "Merge", ("x", "next")),
            ("body", "Identity", ("merge:0",)),
            ("next", "NextIteration", ("body",)),
        ):
            graph.node.add(name=name, op=operator, input=inputs)
        names = [node.name for node in graph_pb2.GraphDef.FromString(_canonical(graph)).node]
        self.assertEqual(names, ["x", "pool", "custom", "merge", "body", "next"])

    def test_bad_files(self):
        content = _graph().SerializeToString()
        self._assert_refused(content[:-3], "not a binary GraphDef, or a truncated one")
        self._assert_refused(b"node { name: 'x' }", "not a binary GraphDef")
        self._assert_refused(graph_pb2.GraphDef().SerializeToString(), "the GraphDef has no nodes")
        saved_model = b"\x08\x01" + b"\x12\x02\x0a\x00"
        self._assert_refused(
            saved_model, "not a GraphDef: it has other fields; give a frozen graph"
        )

    def test_bad_graphs(self):
        graph = _graph()
        graph.node[1].input[0] = "y:1"
        self._assert_refused(
            graph.SerializeToString(), "node pool reads y, which the graph does not"
        )
        graph = _graph()
        graph.node.add(name="x", op="NoOp")
        self._assert_refused(graph.SerializeToString(), "two nodes share a name")
        graph = _graph()
        graph.node[0].input.append("^custom")
        self._assert_refused(graph.SerializeToString(), "node x depends on itself")

    def test_program(self):
        folder = self.create_tempdir()
        output = os.path.join(folder.full_path, "canonical.pb")

        def run(content):
            raw = folder.create_file("raw.pb", content=content, mode="wb").full_path
            return program.run(_PROGRAM, input=raw, output=output)

        result = run(_graph().SerializeToString()[:-3])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr, r"(?m)^ERROR: .*/raw\.pb: not a binary GraphDef, or a trunc"
        )
        self.assertFalse(os.path.exists(output))
        self.assertEqual(run(_graph().SerializeToString()).returncode, 0)
        with open(output, "rb") as stream:
            self.assertEqual(stream.read(), _canonical(_graph()))


if __name__ == "__main__":
    absltest.main()
