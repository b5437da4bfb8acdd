import flatbuffers
from absl.testing import absltest
from tensorflow.lite.python import schema_py_generated as schema

from reproducible_tflite.steps.convert import model_ends

_SPLIT, _FLOAT = 0, 1


def _operator(code: int, inputs: list[int], outputs: list[int]) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    return operator


def _subgraph(first_buffer: int, swapped: bool) -> schema.SubGraphT:
    """Returns a split whose two outputs become float, in one of the quantizer's orders."""
    graph = schema.SubGraphT()
    names = ["image", "left", "right", "left_float", "right_float"]
    reads, outputs = [1, 2], [3, 4]
    if swapped:
        names[3:], reads, outputs = names[:2:-1], reads[::-1], outputs[::-1]
    graph.tensors = []
    for index, name in enumerate(names):
        tensor = schema.TensorT()
        tensor.name, tensor.buffer, tensor.shape = name, first_buffer + index, [1]
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs = [0], outputs
    graph.operators = [
        _operator(_SPLIT, [0], [1, 2]),
        _operator(_FLOAT, [reads[0]], [3]),
        _operator(_FLOAT, [reads[1]], [4]),
    ]
    return graph


def _signature(subgraph: int, outputs: list[int]) -> schema.SignatureDefT:
    signature = schema.SignatureDefT()
    signature.subgraphIndex, signature.outputs = subgraph, []
    for name, index in zip(("left", "right"), outputs, strict=True):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        signature.outputs.append(entry)
    return signature


def _model(*subgraphs: schema.SubGraphT) -> bytes:
    model = schema.ModelT()
    model.operatorCodes = [schema.OperatorCodeT(), schema.OperatorCodeT()]
    model.subgraphs = list(subgraphs)
    model.buffers = [schema.BufferT() for graph in subgraphs for _ in graph.tensors]
    model.signatureDefs = [_signature(i, graph.outputs) for i, graph in enumerate(subgraphs)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class OrderedOutputsTest(absltest.TestCase):
    def test_the_order_of_the_outputs(self):
        expected = _model(_subgraph(0, swapped=False))
        other = _model(_subgraph(0, swapped=True))
        self.assertNotEqual(other, expected)
        expected = model_ends.with_ordered_outputs(expected)
        self.assertEqual(model_ends.with_ordered_outputs(other), expected)

    def test_every_subgraph_has_an_order_of_its_own(self):
        def ordered(first: bool, second: bool) -> bytes:
            model = _model(_subgraph(0, swapped=first), _subgraph(5, swapped=second))
            return model_ends.with_ordered_outputs(model)

        expected = ordered(first=False, second=False)
        for first, second in ((True, False), (False, True), (True, True)):
            self.assertEqual(ordered(first, second), expected)

    def test_producers_stay_in_front_of_readers(self):
        graph = _subgraph(0, swapped=True)
        graph.operators[2].inputs = [3]
        chain = _model(graph)
        self.assertEqual(model_ends.with_ordered_outputs(chain), chain)

    def test_a_subgraph_without_operators(self):
        graph = _subgraph(0, swapped=False)
        graph.operators = []
        empty = _model(graph)
        self.assertEqual(model_ends.with_ordered_outputs(empty), empty)


if __name__ == "__main__":
    absltest.main()
