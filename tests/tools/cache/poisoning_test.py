from absl.testing import absltest

from tests.tools.cache import poisoning

_FOUND = f"""\
agrees   Genrule of //{poisoning._PACKAGE}:sound: a rebuild makes what the cache serves (1.3 s)
WRONG    Genrule of //{poisoning._PACKAGE}:poisoned: the cache serves other bytes
    bazel-out/bin/{poisoning._PACKAGE}/poisoned.tflite: 440 and 440 bytes
      operator changed: TFLite_Detection_PostPoisons | TFLite_Detection_PostProcess
      from byte 430: 6f | 72
1 of 2 drawn from 2 in the disk cache cannot be trusted: Genrule of //{poisoning._PACKAGE}:poisoned.
"""


class ComplaintsTest(absltest.TestCase):
    def test_nothing_is_wrong_with_what_should_be_found(self):
        self.assertEmpty(poisoning.complaints(1, _FOUND, ["poisoned"]))

    def test_what_is_missing_is_told(self):
        for gone in ("WRONG", "from byte", "poisoned.tflite", "PostPoisons |", "cannot be trusted"):
            with self.subTest(gone):
                self.assertNotEmpty(poisoning.complaints(1, _FOUND.replace(gone, ""), ["poisoned"]))
        self.assertNotEmpty(poisoning.complaints(0, _FOUND, ["poisoned"]))

    def test_who_is_accused_wrongly_is_told(self):
        output = _FOUND.replace("agrees  ", "WRONG   ")
        self.assertIn("sound is accused", poisoning.complaints(1, output, ["poisoned"]))
        self.assertIn("poisoned is accused", poisoning.complaints(1, _FOUND, []))


if __name__ == "__main__":
    absltest.main()
