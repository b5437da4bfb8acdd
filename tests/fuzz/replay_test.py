import resource

from absl.testing import absltest, parameterized

from tests.fuzz import seeds, targets

_MEMORY = 4 << 30
_TARGETS = ("canonicalize_flexbuffer", "canonicalize_tflite", "diff_tflite", "inspect_tflite")


def setUpModule():
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


class ReplayTest(parameterized.TestCase):
    @parameterized.parameters(*_TARGETS)
    def test_inputs_that_once_failed(self, target):
        inputs = seeds.corpus(target)
        self.assertNotEmpty(inputs)
        for name, content in inputs.items():
            with self.subTest(name=name):
                self.assertLess(len(content), 16 << 10)
                getattr(targets, target)(content)


if __name__ == "__main__":
    absltest.main()
