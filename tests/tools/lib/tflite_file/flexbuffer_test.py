import array
import random
import struct

from absl.testing import absltest, parameterized
from flatbuffers import flexbuffers
from flatbuffers.flexbuffers import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file import flexbuffer
from tests.tools.lib.tflite_file import generated, layouts, models


def _comparable(value):
    """Returns a decoded value in a form whose equality means equal bits."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return (type(value), struct.pack("<d", value) if isinstance(value, float) else value)


def _dump(value):
    return bytes(flexbuffers.Dumps(value))


class FlexbufferTest(parameterized.TestCase):
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(generated.FLEXBUFFER_MAPS)
    def test_values_are_kept_and_order_is_not(self, value):
        once = flexbuffer.canonical_bytes(_dump(value))
        self.assertEqual(
            _comparable(flexbuffers.Loads(once)), _comparable(flexbuffers.Loads(_dump(value)))
        )
        other = _dump(layouts.reordered(value, random.Random(1)))
        self.assertEqual(flexbuffer.canonical_bytes(other), once)
        self.assertEqual(flexbuffer.canonical_bytes(once), once)

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=60))
    def test_any_bytes_are_survived(self, data):
        once = flexbuffer.canonical_bytes(data)
        self.assertEqual(flexbuffer.canonical_bytes(once), once)

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(generated.FLEXBUFFER_MAPS, st.data())
    def test_damage_is_survived(self, value, data):
        damaged = bytearray(_dump(value))
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
        once = flexbuffer.canonical_bytes(bytes(damaged))
        self.assertEqual(flexbuffer.canonical_bytes(once), once)

    def test_types_and_widths_are_kept(self):
        builder = flexbuffers.Builder()
        with builder.Map():
            builder.UInt("z_unsigned", 7)
            builder.Int("y_signed", 7)
            builder.IndirectInt("x_indirect", -5)
            builder.IndirectFloat("w_indirect", 1e300, 8)
            builder.TypedVectorFromElements("v_bytes", array.array("b", [1, 2]))
            builder.TypedVectorFromElements("u_longs", array.array("q", [1, 2]))
            builder.FixedTypedVectorFromElements("t_pair", [1.0, 2.0], Type.FLOAT, 8)
            with builder.TypedVector("s_keys"):
                builder.Key("b")
                builder.Key("a")
            with builder.TypedVector("r_flags"):
                builder.Bool(True)
                builder.Bool(False)
            builder.Null("q_null")
        data = bytes(builder.Finish())
        canonical = flexbuffer.canonical_bytes(data)
        self.assertNotEqual(canonical, data)
        before, after = flexbuffers.GetRoot(data).AsMap, flexbuffers.GetRoot(canonical).AsMap
        self.assertEqual(before.Value, after.Value)
        for name in before.Value:
            self.assertEqual(before[name]._type, after[name]._type, name)
        for name, width in (("v_bytes", 1), ("u_longs", 8)):
            self.assertEqual(after[name].AsTypedVector.ByteWidth, width)
        self.assertEqual(after["t_pair"].AsFixedTypedVector.ByteWidth, 8)

    def test_keys_are_laid_out_in_order(self):
        canonical = flexbuffer.canonical_bytes(bytes(models.options(models.POST_PROCESS_OPTIONS)))
        places = [canonical.index(key.encode() + b"\0") for key in models.POST_PROCESS_OPTIONS]
        in_order = sorted(zip(models.POST_PROCESS_OPTIONS, places, strict=True))
        self.assertEqual([place for _, place in in_order], sorted(places))

    @parameterized.named_parameters(
        ("nothing", b""),
        ("a struct", struct.pack("<iif", 3, 1, 0.5)),
        ("a number", _dump(5)),
        # The options of a TensorFlow operator inside a .tflite: its name and its NodeDef.
        ("a vector without a map", _dump(["Op", "definition"])),
        ("a map with junk behind its values", b"\7\7" + _dump({"b": 1, "a": 2})),
        ("a map that is cut off", _dump({"b": 1, "a": 2})[1:]),
    )
    def test_kept_byte_for_byte(self, data):
        self.assertEqual(flexbuffer.canonical_bytes(data), data)

    def test_text_that_is_not_utf8_is_kept(self):
        data = _dump({"b": "text", "a": 1}).replace(b"text", b"te\xfft")
        self.assertEqual(flexbuffer.canonical_bytes(data), data)

    def test_keys_that_are_not_sorted_are_kept(self):
        data = _dump({"a": 1, "b": 2}).replace(b"a\0b\0", b"b\0a\0")
        self.assertEqual(flexbuffer.canonical_bytes(data), data)

    def test_values_that_contain_each_other_end(self):
        # 30 vectors of two, each twice the next: 2**30 values in 160 bytes.
        builder = flexbuffers.Builder()
        with builder.Map():
            builder.Key("a")
            with builder.Vector():
                builder.Int(1)
            for _ in range(30):
                value = builder.LastValue
                builder._stack.pop()
                with builder.Vector():
                    builder.ReuseValue(value)
                    builder.ReuseValue(value)
        data = bytes(builder.Finish())
        self.assertLess(len(data), 300)
        self.assertEqual(flexbuffer.canonical_bytes(data), data)

    def test_long_texts_that_many_values_share(self):
        # 400 references to a text of 3000 bytes: rewriting would turn 5 kB into 1.2 MB.
        builder = flexbuffers.Builder(share_strings=True)
        with builder.Map():
            builder.Key("a")
            with builder.Vector():
                for _ in range(400):
                    builder.String("t" * 3000)
        data = bytes(builder.Finish())
        self.assertLess(len(data), 5000)
        self.assertEqual(flexbuffer.canonical_bytes(data), data)

    def test_keys_that_many_maps_share_cost_nothing(self):
        def make(keys):
            return _dump([{key: 1 for key in keys} for _ in range(100)])

        keys = [letter * 400 for letter in "abcde"]
        once = flexbuffer.canonical_bytes(make(keys))
        self.assertNotEqual(make(keys[::-1]), once)
        self.assertEqual(flexbuffer.canonical_bytes(make(keys[::-1])), once)


if __name__ == "__main__":
    absltest.main()
