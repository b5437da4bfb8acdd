import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import equivalence
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.equivalence import networks


def _pieces(model: bytes, graph: bytes) -> equivalence.Pieces:
    return equivalence.Pieces(
        (model, reader.read(model, "x.tflite"), "x.tflite"),
        (graph, "x.pb"),
        [networks.INPUT],
        [networks.OUTPUT],
    )


def _compared(model: bytes, graph: bytes, **options) -> equivalence.Comparison:
    return _pieces(model, graph).compare(networks.samples(), **options)


def _without_biases(model: bytes) -> bytes:
    return networks.changed(model, "conv_1/Relu", 2, 0.0)


class EquivalenceTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = {
            kind: networks.converted(kind, cls().create_tempdir(kind).full_path)
            for kind in networks.KINDS
        }

    def _graph(self, kind: str) -> bytes:
        return networks.graph(kind == "quantization_aware")

    @parameterized.parameters(*networks.KINDS)
    def test_a_sound_conversion_does_not_drift(self, kind):
        result = _compared(self.models[kind], self._graph(kind))
        self.assertEqual([layer.text for layer in result.drifting], [])
        arrays = [layer.pair.array for layer in result.layers]
        self.assertContainsSubset(networks.LAYERS, arrays)
        self.assertLess(result.worst.error, result.worst.allowed)

    @parameterized.product(kind=networks.KINDS, layer=[0, 1, 4])
    def test_lost_biases_are_found_in_their_layer(self, kind, layer):
        name = networks.LAYERS[layer]
        model = networks.changed(self.models[kind], name, 2, 0.0)
        result = _compared(model, self._graph(kind))
        self.assertEqual([layer.pair.array for layer in result.drifting], [name])
        self.assertRegex(
            result.text, rf"^(CONV_2D|FULLY_CONNECTED) \d+ \({name}\): off by [\d.]+ of a range of"
        )

    @parameterized.parameters(*networks.KINDS)
    def test_other_weights_are_found_in_their_layer(self, kind):
        model = networks.changed(self.models[kind], "conv_1/Relu", 1, 0.5)
        result = _compared(model, self._graph(kind))
        self.assertEqual([layer.pair.array for layer in result.drifting], ["conv_1/Relu"])

    def test_two_faults(self):
        model = self.models["float"]
        for name in ("conv_0/Relu", "dense/BiasAdd"):
            model = networks.changed(model, name, 2, 0.0)
        result = _compared(model, networks.graph(), with_ends=True)
        found = [layer.pair.array for layer in result.drifting]
        self.assertEqual(found, ["conv_0/Relu", "dense/BiasAdd"])
        [end] = result.ends
        self.assertGreater(end.error, 0.01)

    def test_a_name_that_stands_for_another_value_is_no_drift(self):
        """As if a converter named a layer after the product before its biases."""
        self.assertIn(b"dense/MatMul", self.models["float"])
        model = self.models["float"].replace(b"dense/BiasAdd", b"dense_BiasAdd")
        result = _compared(model, networks.graph())
        self.assertEqual([layer.text for layer in result.drifting], [])
        arrays = [layer.pair.array for layer in result.layers]
        self.assertEqual(arrays, [x for x in networks.LAYERS if x != "dense/BiasAdd"])

    def test_a_name_without_its_activation(self):
        self.assertIn(b"conv_0/Relu;conv_0/BiasAdd", self.models["float"])
        model = self.models["float"].replace(b"conv_0/Relu;", b"rectified_0;")
        result = _compared(model, networks.graph())
        self.assertEqual([layer.pair.array for layer in result.layers], list(networks.LAYERS))

    def test_a_smaller_picture(self):
        graph = networks.local_graph(-1)
        model = networks.converted("float", self.create_tempdir().full_path, graph)
        for changed, drifting in ((model, []), (_without_biases(model), ["conv_1/Relu"])):
            pieces = _pieces(changed, graph)
            pieces.shrink()
            [port] = pieces.ports
            # The remainders for the strides' product are those of 271 and 403.
            self.assertEqual(port.shape, (1, 133, 133, 3))
            sample = np.random.default_rng(1).uniform(-1, 1, (1, 271, 403, 3))
            result = pieces.compare([[sample.astype(np.float32)]])
            self.assertEqual([layer.pair.array for layer in result.drifting], drifting)
            arrays = [layer.pair.array for layer in result.layers]
            self.assertEqual(arrays, ["conv_0/Relu", "conv_1/Relu", networks.OUTPUT])

    def test_a_layer_that_depends_on_the_size(self):
        graph = networks.local_graph(46 * 68)
        model = networks.converted("float", self.create_tempdir().full_path, graph)
        pieces = _pieces(model, graph)
        pieces.shrink()
        self.assertEqual(pieces.ports[0].shape, (1, 271, 403, 3))
        result = pieces.compare([[np.ones((1, 271, 403, 3), np.float32)]])
        self.assertLen(result.layers, 3)
        pieces = _pieces(self.models["float"], networks.graph())
        pieces.shrink()
        self.assertEqual(pieces.ports[0].shape, networks.SHAPE)

    def test_weights_that_would_read_only_padding(self):
        # The second kernel's input would have 65 rows and columns.
        for dilation, shape in ((60, (1, 129, 129, 3)), (70, (1, 271, 403, 3))):
            graph = networks.local_graph(-1, dilation)
            model = networks.converted("float", self.create_tempdir().full_path, graph)
            pieces = _pieces(model, graph)
            pieces.shrink()
            self.assertEqual(pieces.ports[0].shape, shape)

    def test_a_result_that_is_no_number_drifts(self):
        model = networks.changed(self.models["float"], "dense/BiasAdd", 2, np.inf)
        result = _compared(model, networks.graph())
        self.assertEqual(result.drifting[0].pair.array, "dense/BiasAdd")

    @parameterized.parameters(
        (["image", "other"], ["classes"], "has 1 inputs, but x.pb has 2: image, other"),
        (["image"], ["classes", "sum"], "has 1 outputs, but x.pb has 2: classes, sum"),
        (["picture"], ["classes"], "x.pb: the graph has no 'picture'"),
        (["image"], ["sum"], "gives .* for sum, but the source gives"),
    )
    def test_other_ends(self, inputs, outputs, message):
        model = self.models["float"]
        with self.assertRaisesRegex(cli.UserError, message):
            equivalence.Pieces(
                (model, reader.read(model, "x.tflite"), "x.tflite"),
                (networks.graph(), "x.pb"),
                inputs,
                outputs,
            ).compare(networks.samples())

    def test_no_graph(self):
        with self.assertRaisesRegex(cli.UserError, "x.pb: not a serialized GraphDef"):
            _compared(self.models["float"], b"\xff\xff\xff")


if __name__ == "__main__":
    absltest.main()
