import random
import time

import flatbuffers
import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import canonical, structure
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models


def _tables():
    return [name for name in dir(tflite) if hasattr(tflite, f"{name}Start")]


class _Repeated:
    """A subgraph that refers to one operator many times, itself referred to many times."""

    written = None

    def Pack(self, builder):
        if self.written is None:
            operator = tflite.OperatorT().Pack(builder)
            tflite.SubGraphStartOperatorsVector(builder, 2000)
            for _ in range(2000):
                builder.PrependUOffsetTRelative(operator)
            operators = builder.EndVector()
            tflite.SubGraphStart(builder)
            tflite.SubGraphAddOperators(builder, operators)
            self.written = tflite.SubGraphEnd(builder)
        return self.written


class StructureTest(absltest.TestCase):
    def _assert_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, f"^x.tflite: {message}"):
            canonical.canonical_bytes(content, "x.tflite")

    def test_every_field_of_the_schema_is_understood(self):
        self.assertGreater(len(_tables()), 150)
        for table in _tables():
            for field in structure.layout(table).values():
                accessors = getattr(tflite, table)
                with self.subTest(table=table, field=field.name):
                    if (table, field.name) in structure.CHILD_TABLES:
                        continue
                    if (table, field.name) in structure.CHILD_UNIONS:
                        self.assertTrue(hasattr(accessors, f"{field.name}Type"))
                    elif field.element_size is not None:
                        self.assertTrue(hasattr(accessors, f"{field.name}AsNumpy"))
                    elif field.is_offset:
                        # A field that is not listed as a table must accept text and return it.
                        instance = getattr(tflite, f"{table}T")()
                        setattr(instance, field.name[0].lower() + field.name[1:], "text")
                        builder = flatbuffers.Builder()
                        builder.Finish(instance.Pack(builder))
                        read = accessors.GetRootAs(bytes(builder.Output()))
                        self.assertEqual(getattr(read, field.name)(), b"text")

    def test_every_kind_of_a_union_is_a_table(self):
        for enumeration in set(structure.CHILD_UNIONS.values()):
            kinds = {
                name for name in vars(getattr(tflite, enumeration)) if not name.startswith("_")
            }
            self.assertContainsSubset(kinds - {"NONE"}, _tables())

    def test_sound_files_pass(self):
        for make in (models.layered, models.detector):
            structure.check(models.pack(make()), "x.tflite")

    def test_other_files(self):
        lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
        for content, message in (
            (b"TFL3", "a file without TFL3 in its bytes 4 to 7; give a file that"),
            (b"\0\0\0\0", "nothing but zero bytes"),
            (bytes(range(64)), "a file without TFL3"),
            (b"PK\3\4" + bytes(60), "a zip archive"),
            (b"\x1f\x8b\x08" + bytes(60), "a gzip archive"),
            (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
            (b"\x7fELF\2\1\1" + bytes(60), "a program"),
            (b'{"message": "Not Found"}', "JSON"),
            (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "a web page; its address was not that of"),
            (b"<HTML><body>404", "a web page"),
            (lfs, "a Git LFS pointer; .*git lfs pull"),
            (b"\x1c\0\0\0TFL2" + bytes(60), "of the schema TFL2, which is not TFL3"),
        ):
            self._assert_refused(content, f"not a .tflite but {message}")

    def test_every_truncation_is_noticed(self):
        content = canonical.canonical_bytes(models.pack(models.layered()), "x.tflite")
        for length in range(8, len(content) - 1, 7):
            self._assert_refused(content[:length], "not a sound .tflite: .* truncated or damaged")

    def test_damage_never_ends_in_anything_but_a_message(self):
        rng = random.Random(4)
        content = canonical.canonical_bytes(models.pack(models.detector()), "x.tflite")
        refused = 0
        for _ in range(1500):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 4)):
                damaged[rng.randrange(8, len(damaged))] = rng.choice((0, 1, 127, 255))
            try:
                once = canonical.canonical_bytes(bytes(damaged), "x.tflite")
                self.assertEqual(canonical.canonical_bytes(once, "x.tflite"), once)
            except cli.UserError:
                refused += 1
        self.assertGreater(refused, 500)

    def test_data_claimed_again_and_again(self):
        model = models.layered()
        model.subgraphs, model.signatureDefs = [_Repeated()] * 2000, None
        content = models.pack(model)
        self.assertLess(len(content), 20_000)
        start = time.monotonic()
        self._assert_refused(content, "not a sound .tflite: .* again and again")
        self.assertLess(time.monotonic() - start, 10)

    def test_more_tables_than_the_runtime_accepts(self):
        builder = flatbuffers.Builder(8 << 20)
        buffer = tflite.BufferT().Pack(builder)
        tflite.ModelStartBuffersVector(builder, 1_000_001)
        for _ in range(1_000_001):
            builder.PrependUOffsetTRelative(buffer)
        buffers = builder.EndVector()
        tflite.ModelStart(builder)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
        self._assert_refused(bytes(builder.Output()), "not a sound .tflite: .* 1,000,000 tables")

    def test_the_deprecated_fields(self):
        # The generated classes leave these out; the reader does without them.
        gaps = {
            (table, slot)
            for table in _tables()
            for slot in range(max(structure.layout(table), default=0))
            if slot not in structure.layout(table)
        }
        expected = {("ResizeBilinearOptions", 0), ("ResizeBilinearOptions", 1)}
        self.assertEqual(gaps, expected | {("SignatureDef", 3)})

    def test_a_field_of_a_newer_schema(self):
        model = models.layered()
        model.buffers.append(models.WithField(tflite.BufferT(), 3))
        operator = model.subgraphs[0].operators[1]
        operator.builtinOptions = models.WithField(operator.builtinOptions, 9)
        content = models.pack(model)
        newer = ("Buffer field 3", "FullyConnectedOptions field 9")
        self.assertEqual(structure.verify(content, "x.tflite").newer, newer)
        self._assert_refused(content, f"has {', '.join(newer)}, which .* does not know and would")

    def test_operator_options_of_a_newer_schema(self):
        model = models.layered()
        operator = model.subgraphs[0].operators[0]
        operator.builtinOptionsType, operator.builtinOptions = 200, tflite.AddOptionsT()
        content = models.pack(model)
        newer = ("Operator.BuiltinOptions of kind 200",)
        self.assertEqual(structure.verify(content, "x.tflite").newer, newer)
        self._assert_refused(content, f"has {newer[0]}, which")

    def test_many_fields_of_a_newer_schema(self):
        model = models.layered()
        for slot in range(3, 9):
            model.buffers.append(models.WithField(tflite.BufferT(), slot))
        self._assert_refused(models.pack(model), "has Buffer field 3, .* field 5 and 3 more, which")

    def test_what_the_runtimes_verifier_refuses(self):
        content = models.pack(models.layered())
        self.assertIsNone(structure.verify(content, "x.tflite").flaw)
        start = content.index(b"made for a test")
        shifted = (int.from_bytes(content[:4], "little") + 1).to_bytes(4, "little")
        for damaged, flaw in (
            (shifted + content[4:8] + b"\0" + content[8:], "a Model at byte .* aligned to 4 bytes"),
            (content[: start + 15] + b"\1" + content[start + 16 :], "Model.Description .* NUL"),
        ):
            self.assertRegex(structure.verify(damaged, "x.tflite").flaw, flaw)

    def test_missing_vectors_and_names(self):
        model = tflite.ModelT()
        model.version, model.subgraphs = 3, [tflite.SubGraphT()]
        once = canonical.canonical_bytes(models.pack(model), "x.tflite")
        self.assertEqual(canonical.canonical_bytes(once, "x.tflite"), once)
        tensor = tflite.TensorT()
        tensor.shape = np.array([1], np.int32)
        model.subgraphs[0].tensors = [tensor]
        self._assert_refused(models.pack(model), "the model refers to buffer 0 but has 0 of them")


if __name__ == "__main__":
    absltest.main()
