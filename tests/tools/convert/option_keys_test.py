import numpy as np
from absl.testing import absltest
from flatbuffers import Builder, flexbuffers
from tensorflow.lite.python import schema_py_generated as schema

from tools.convert import toco

_OPTIONS = {"x_scale": 10.0, "max_detections": 10, "use_regular_nms": True}


def _options(keys: list[str]) -> bytes:
    """Encodes the options with their keys laid out in the given order."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in keys:
            builder.Key(key)
            builder.Add(_OPTIONS[key])
    return bytes(builder.Finish())


def _model(options: bytes) -> bytes:
    """Returns a .tflite with one custom operator."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"TFLite_Detection_PostProcess"
    operator = schema.OperatorT()
    operator.customOptions = np.frombuffer(options, np.uint8)
    graph = schema.SubGraphT()
    graph.operators = [operator, schema.OperatorT()]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _options_of(model: bytes) -> bytes:
    operator = schema.Model.GetRootAsModel(model, 0).Subgraphs(0).Operators(0)
    return operator.CustomOptionsAsNumpy().tobytes()


class OptionKeysTest(absltest.TestCase):
    def test_every_order_of_the_keys_gives_the_same_file(self):
        keys = sorted(_OPTIONS)
        models = [_model(_options(order)) for order in (keys, keys[::-1], keys[1:] + keys[:1])]
        self.assertLen(set(models), 3)
        ordered = {toco.with_ordered_option_keys(model) for model in models}
        self.assertLen(ordered, 1)
        self.assertEqual(flexbuffers.Loads(_options_of(ordered.pop())), _OPTIONS)

    def test_nothing_else_changes(self):
        options = _options(sorted(_OPTIONS)[::-1])
        model = _model(options)
        ordered = toco.with_ordered_option_keys(model)
        place = model.index(options)
        self.assertEqual(ordered[:place], model[:place])
        self.assertEqual(ordered[place + len(options) :], model[place + len(options) :])

    def test_options_of_another_format_stay(self):
        model = _model(b"no flexbuffer")
        self.assertEqual(toco.with_ordered_option_keys(model), model)


if __name__ == "__main__":
    absltest.main()
