from absl.testing import absltest
from flatbuffers import flexbuffers

from reproducible_tflite.lib.meaning import differing
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file.models import Maker, pack


def _model(keys: str, description: str = "d") -> bytes:
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in keys:
            builder.Key(key)
            builder.Int(ord(key))
    maker = Maker()
    tensor = maker.tensor("t", [1])
    operator = maker.operator(tflite.BuiltinOperator.CUSTOM, [tensor], [tensor], custom="Mine")
    operator.customOptions = list(builder.Finish())
    maker.model.description = description
    return pack(maker.model)


class RunsTest(absltest.TestCase):
    def test_equal_content_has_none(self):
        self.assertEmpty(differing.runs(b"x" * 100_000, b"x" * 100_000))

    def test_near_bytes_are_one_run_and_far_ones_are_not(self):
        left = bytes(200_000)
        right = bytearray(left)
        for position in (10, 12, 150_000):
            right[position] = 0xAB
        self.assertEqual(
            differing.runs(left, bytes(right)),
            [differing.Bytes(10, "00 00 00", "ab 00 ab"), differing.Bytes(150_000, "00", "ab")],
        )

    def test_a_missing_tail_is_a_run(self):
        self.assertEqual(differing.runs(b"ab", b"abcd"), [differing.Bytes(2, "", "63 64")])

    def test_no_more_than_asked_for(self):
        left, right = bytes(1000), bytes(255 * (position % 20 == 0) for position in range(1000))
        runs = differing.runs(left, right, most=3)
        self.assertEqual([run.offset for run in runs], [0, 20, 40])


class FieldsTest(absltest.TestCase):
    def test_keys_in_another_order_are_named(self):
        field, *_ = differing.compare("m.tflite", _model("abc"), _model("cab")).fields
        self.assertRegex(field, "Mine 0: custom options: .*keys laid out in another order")

    def test_other_values_are_not_called_another_order(self):
        file = differing.compare("m.tflite", _model("abc"), _model("abd"))
        self.assertNotEmpty(file.runs)
        self.assertNotIn("another order", " ".join(file.fields))

    def test_other_fields_are_named_too(self):
        file = differing.compare("m.tflite", _model("abc"), _model("abc", "e"))
        self.assertIn("description of model: d | e", file.fields)

    def test_other_files_are_compared_by_bytes(self):
        for left, right in ((b"a", b"b"), (b"....TFL3", b"....TFL3?"), (b"", _model("a"))):
            file = differing.compare("m.tflite", left, right)
            self.assertEmpty(file.fields)
            self.assertNotEmpty(file.runs)


if __name__ == "__main__":
    absltest.main()
