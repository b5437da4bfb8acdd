import numpy as np
from absl.testing import absltest
from ai_edge_litert import interpreter
from hypothesis import given
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file import canonical
from tests.tools.lib.tflite_file import bounds, generated, layouts, meaning, models, runnable

_WITHOUT_DELEGATES = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


setUpModule = bounds.bound_memory


def _canonical(content):
    return canonical.canonical_bytes(content, "x.tflite")


def _meaning(content):
    return meaning.meaning(models.unpack(content), content)


class PropertyTest(absltest.TestCase):
    maxDiff = 2000

    @bounds.examples(100)
    @given(generated.models(wild=True))
    def test_writing_again_changes_nothing_and_meaning_is_kept(self, model):
        raw = models.pack(model)
        once = _canonical(raw)
        self.assertEqual(_canonical(once), once)
        self.assertEqual(_meaning(once), _meaning(raw))

    @bounds.examples(100)
    @given(generated.models(wild=False), st.integers(0, 2**32 - 1))
    def test_equal_models_get_equal_bytes(self, model, seed):
        once = _canonical(models.pack(model))
        other = layouts.relaid(model, seed)
        self.assertEqual(_canonical(other), once)

    @bounds.examples(30)
    @given(runnable.models(), st.integers(0, 2**32 - 1))
    def test_the_interpreter_computes_the_same(self, model, seed):
        raw = models.pack(model)
        other = layouts.relaid(model, seed)
        expected = _outputs(raw)
        self.assertEqual(_outputs(_canonical(raw)), expected)
        self.assertEqual(_outputs(other), expected)
        self.assertEqual(_canonical(other), _canonical(raw))


def _outputs(content):
    """Returns the interpreter's outputs for one input, in the model's order."""
    runner = interpreter.Interpreter(
        model_content=content,
        num_threads=1,
        # XNNPACK crashes on some of these graphs, raw and canonical ones alike.
        experimental_op_resolver_type=_WITHOUT_DELEGATES,
    )
    runner.allocate_tensors()
    numbers = np.random.default_rng(1)
    for detail in runner.get_input_details():
        runner.set_tensor(detail["index"], numbers.random(detail["shape"]).astype(np.float32))
    runner.invoke()
    return [runner.get_tensor(d["index"]).tobytes() for d in runner.get_output_details()]


if __name__ == "__main__":
    absltest.main()
