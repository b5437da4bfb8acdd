import json

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature

_IMAGE = {"name": "image", "array": "x", "type": "float32", "shape": [None, 224, 224, 3]}
_CLASSES = {"name": "classes", "array": "Identity", "type": "float32", "shape": None}
_STORED = {"name": "serving_default", "inputs": [_IMAGE], "outputs": [_CLASSES]}
_NOT_ONE = "^.*: not a signature file \\({}\\); it is JSON with name, inputs and outputs, "


class SignatureTest(parameterized.TestCase):
    def _read(self, content: str) -> signature.Signature | None:
        return signature.read(self.create_tempfile(content=content).full_path)

    def test_what_was_written_is_read(self):
        read = self._read(json.dumps(_STORED))
        self.assertEqual(
            read,
            signature.Signature(
                "serving_default",
                (signature.End("image", "x", "float32", (None, 224, 224, 3)),),
                (signature.End("classes", "Identity", "float32", None),),
            ),
        )
        path = self.create_tempfile().full_path
        signature.write(path, read)
        self.assertEqual(signature.read(path), read)
        with open(path, encoding="utf-8") as stream:
            self.assertEqual(json.load(stream), _STORED)

    def test_a_source_may_state_none(self):
        self.assertIsNone(self._read("null\n"))

    @parameterized.parameters(
        ("{", "Expecting .*"),
        ("[]", "list indices .*"),
        ('{"name": "x"}', "it has no 'inputs'"),
        (json.dumps(_STORED | {"name": 1}), "1 is not of type str"),
        (json.dumps(_STORED | {"inputs": []}), "there must be at least one input and one output"),
        (json.dumps(_STORED | {"outputs": {}}), "{} is not of type list"),
        (json.dumps(_STORED | {"inputs": [_IMAGE, _IMAGE]}), "two inputs have the same name"),
        (
            json.dumps(_STORED | {"inputs": [_IMAGE, _IMAGE | {"name": "other"}]}),
            "two inputs have the same array",
        ),
        (json.dumps(_STORED | {"outputs": [_CLASSES] * 2}), "two outputs have the same name"),
        (json.dumps(_STORED | {"inputs": [_IMAGE | {"shape": [-1]}]}), "-1 is not a size"),
        (json.dumps(_STORED | {"inputs": [_IMAGE | {"shape": [True]}]}), "True is not of .*"),
        (json.dumps(_STORED | {"inputs": [_IMAGE | {"shape": "1,2"}]}), "'1,2' is not of .*"),
        ("[" * 100000, "maximum recursion .*"),
    )
    def test_another_content_is_refused(self, content, reason):
        with self.assertRaisesRegex(cli.UserError, _NOT_ONE.format(reason)):
            self._read(content)

    @parameterized.parameters(
        ((1, 224, None), "1,224,?"), ((), ""), (None, "of unknown rank"), ((7,), "7")
    )
    def test_shapes_for_people(self, shape, text):
        self.assertEqual(signature.shape_text(shape), text)


if __name__ == "__main__":
    absltest.main()
