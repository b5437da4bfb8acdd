"""Asks the pinned TensorFlow's own function, which its converter calls, for each row."""

import ctypes

from absl.testing import absltest

from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.tflite_file import runtime_version
from reproducible_tflite.lib.tflite_file.schema import tflite

_LIBRARY = "site/tensorflow/libtensorflow_cc.so.2"
_FUNCTION = "_ZN6tflite30FindMinimumRuntimeVersionForOpB5cxx11ENS_15BuiltinOperatorEi"
# The table gets rows in development, which may come after the branch of the release they name.
_SURELY_THERE = [2, 14, 0]


class _String(ctypes.Structure):
    """A std::string of GNU's C++ library."""

    _fields_ = (
        ("text", ctypes.c_char_p),
        ("length", ctypes.c_size_t),
        ("rest", ctypes.c_char * 16),
    )


class RuntimeVersionsTest(absltest.TestCase):
    def test_rows_are_those_of_tensorflow(self):
        library = ctypes.CDLL(str(runfiles.repository("tensorflow_2_15_1") / _LIBRARY))
        function = getattr(library, _FUNCTION)
        function.restype = None

        def genuine(name: str, version: int) -> str | None:
            result = _String()
            function(ctypes.byref(result), getattr(tflite.BuiltinOperator, name), version)
            return (result.text or b"").decode() or None

        rows = 0
        for name, runtimes in runtime_version.table().items():
            # Beyond the last version, neither knows one.
            for version, runtime in enumerate([*runtimes, None], start=1):
                said = genuine(name, version)
                numbers = [int(part) for part in (runtime or "").split(".") if part]
                if said or numbers <= _SURELY_THERE:
                    self.assertEqual(said, runtime, f"{name} version {version}")
                self.assertEqual(runtime_version.of_operator(name, version), runtime)
                rows += said is not None
        self.assertGreater(rows, 370)
        self.assertIsNone(runtime_version.of_operator("ADD", 0))
        self.assertIsNone(runtime_version.of_operator("BUILTIN_999", 1))


if __name__ == "__main__":
    absltest.main()
