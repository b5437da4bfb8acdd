from absl.testing import absltest, parameterized
from tensorflow.core.framework import types_pb2

from reproducible_tflite.lib.graph_ends import graph_ends
from tests.tools.new import model_files


def _graph(*nodes) -> graph_ends.Graph:
    return graph_ends.Graph(model_files.graph_def(*nodes))


class GraphEndsTest(parameterized.TestCase):
    def test_open_ends(self):
        graph = _graph(
            ["Relu", "a", "image"],
            ["Assert", "check", "a"],
            ["NoOp", "group", "^controlled"],
            ["Relu", "controlled", "a:0", "^check"],
            ["TopKV2", "top", "a", "a"],
            ["FusedBatchNormV3", "norm", "a"],
            ["Relu", "of no input", "unused"],
            ["Const", "unused"],
        )
        self.assertEqual(graph.placeholders, ["image"])
        self.assertEqual(graph.open_ends(["image"]), ["controlled", "top", "top:1", "norm"])
        self.assertEqual(graph.open_ends(["controlled"]), [])

    def test_what_is_reached(self):
        graph = _graph(
            ["Relu", "c", "b:1", "^guard"],
            ["Relu", "b", "a", "gone"],
            ["Relu", "a", "image"],
            ["NoOp", "guard"],
        )
        self.assertEqual(graph.reached(["c:0"], []), {"c", "b", "a", "image", "guard"})
        self.assertEqual(graph.reached(["c"], ["b:1"]), {"c", "b", "guard"})

    def test_a_loop_ends(self):
        graph = _graph(["Merge", "first", "image", "next"], ["NextIteration", "next", "first"])
        self.assertEqual(graph.reached(["next"], []), {"first", "next", "image"})
        self.assertEqual(graph.open_ends(["image"]), [])

    def test_types(self):
        graph = _graph(
            ["TopKV2", "top", "image", "image"],
            ["TFLite_Detection_PostProcess", "boxes", "image"],
            ["Own", "own", "image"],
            ["Own", "stated", "image"],
            ["Assert", "check", "image"],
        )
        stated = graph.nodes["stated"].attr["_output_types"].list.type
        stated.extend([types_pb2.DT_INT64, types_pb2.DT_FLOAT])
        for name, types in {
            "top": ["float32", "int32"],
            "boxes": ["float32"] * 4,
            "own": [""],
            "stated": ["int64", "float32"],
            "check": [],
        }.items():
            self.assertEqual(graph_ends.output_types(graph.nodes[name]), types, name)

    def test_similar_names(self):
        graph = _graph(["Relu", "result", "image"])
        self.assertEqual(graph.similar("resulted"), ["result"])
        self.assertEqual(graph.similar("7"), [])

    @parameterized.parameters(("a", "a"), ("a:1", "a"), ("^a", "a"))
    def test_the_node_of_an_array(self, array, node):
        self.assertEqual(graph_ends.node_of(array), node)


if __name__ == "__main__":
    absltest.main()
