import io
import zipfile

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import canonical, reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import litert, models


def _canonical(content: bytes) -> bytes:
    return canonical.canonical_bytes(content, "x.tflite")


def _with_data_behind(model: tflite.ModelT) -> bytes:
    """Packs a model with the data of its buffers and custom options behind the flatbuffer."""
    operators = [op for graph in model.subgraphs for op in graph.operators]
    parts = []
    for buffer in model.buffers:
        # A size of 1 means "no data" there.
        if buffer.data is not None and len(buffer.data) > 1:
            parts.append((buffer, "offset", "size", buffer.data))
            # The flatbuffer has the same size with the final offsets.
            buffer.data, buffer.offset, buffer.size = None, 2, 2
    for op in operators:
        if op.customOptions is not None:
            place = ("largeCustomOptionsOffset", "largeCustomOptionsSize")
            parts.append((op, *place, op.customOptions))
            op.customOptions = None
            op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 2
    end = len(models.pack(model)) + 15 & ~15
    behind = b""
    for owner, offset, size, data in parts:
        setattr(owner, offset, end + len(behind))
        setattr(owner, size, len(data))
        behind += data.tobytes() + bytes(-len(data) % 16)
    return models.pack(model).ljust(end, b"\0") + behind


def _zip(files: dict[str, bytes], content: bytes = b"", **options: object) -> bytes:
    stream = io.BytesIO()
    stream.write(content)
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


_LABELS = {"labels.txt": b"cat\ndog\n", "a.txt": b"a" * 1000}


class OutsideTest(absltest.TestCase):
    def test_data_behind_the_flatbuffer(self):
        for make in (models.layered, models.detector):
            content = _with_data_behind(make())
            self.assertEqual(_canonical(content), _canonical(models.pack(make())))
            read = reader.read(content, "x.tflite")
            self.assertEmpty(read.refusals)
            self.assertFalse(read.trailing.any())

    def test_litert_computes_the_same(self):
        content = _with_data_behind(models.layered())
        self.assertEqual(litert.outputs(content, 1), litert.outputs(_canonical(content), 1))

    def test_data_out_of_the_file(self):
        model = models.layered()
        model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 4096, 16
        with self.assertRaisesRegex(cli.UserError, "buffer 1 lies at bytes 4096 to 4112 of"):
            _canonical(models.pack(model))

    def test_an_archive_has_one_form(self):
        content = models.pack(models.layered())
        forms = {
            _canonical(_zip(_LABELS, content)),
            _canonical(_zip(dict(reversed(_LABELS.items())), content)),
            _canonical(_zip(_LABELS, content, compression=zipfile.ZIP_DEFLATED)),
            # Offsets from the archive's own start.
            _canonical(content + _zip(_LABELS)),
        }
        (form,) = forms
        self.assertEqual(_canonical(form), form)
        with zipfile.ZipFile(io.BytesIO(form)) as archive:
            self.assertEqual(archive.namelist(), sorted(_LABELS))
            self.assertEqual({name: archive.read(name) for name in _LABELS}, _LABELS)
            self.assertEqual({info.compress_type for info in archive.infolist()}, {0})
        self.assertEqual(litert.outputs(content, 1), litert.outputs(form, 1))
        self.assertNotEqual(form, _canonical(_zip(_LABELS | {"a.txt": b"b"}, content)))

    def test_an_archive_behind_data(self):
        content = _with_data_behind(models.layered())
        expected = _canonical(_zip(_LABELS, models.pack(models.layered())))
        self.assertEqual(_canonical(_zip(_LABELS, content)), expected)

    def test_an_archive_in_a_buffer_is_data(self):
        model = models.layered()
        model.metadata[0].name = "archive"
        model.buffers[model.metadata[0].buffer].data = np.frombuffer(_zip(_LABELS), np.uint8)
        form = _canonical(_zip({"x": b"x"}, models.pack(model)))
        self.assertEqual(_canonical(form), form)
        with zipfile.ZipFile(io.BytesIO(form)) as archive:
            self.assertEqual(archive.namelist(), ["x"])

    def test_an_empty_archive_is_dropped(self):
        content = models.pack(models.layered())
        self.assertEqual(_canonical(content + _zip({})), _canonical(content))

    def test_other_bytes_are_kept(self):
        content = models.pack(models.layered())
        for trailing in (b"\1" * 100, b"PK\3\4" * 30, _zip(_LABELS)[:-4] + b"\1" * 4):
            form = _canonical(content + trailing)
            self.assertEndsWith(form, trailing)
            self.assertEqual(_canonical(form), form)

    def test_a_few_bytes_are_dropped(self):
        content = models.pack(models.layered())
        for trailing in (bytes(4096), b"\6\0\0\0\0\0\0\3"):
            self.assertEqual(_canonical(content + trailing), _canonical(content))

    def assertEndsWith(self, content: bytes, end: bytes) -> None:
        self.assertEqual(content[-len(end) :], end)


if __name__ == "__main__":
    absltest.main()
