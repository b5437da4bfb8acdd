"""The seeds of fuzzing: generated models and options, and all inputs that once failed."""

import pathlib

from flatbuffers import flexbuffers
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file import canonical
from tests.tools.lib.tflite_file import generated, models, runnable

_GENERATED = 16
_CORPUS = pathlib.Path(__file__).parent / "corpus"


def _examples(strategy: st.SearchStrategy) -> list:
    """Returns examples, simple ones first, which are the same in every run."""
    examples = []

    @settings(
        max_examples=_GENERATED,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def collect(value: object) -> None:
        examples.append(value)

    collect()
    return examples


def _models() -> list[bytes]:
    unpacked = [models.layered(), models.detector()]
    unpacked += _examples(generated.models(wild=True)) + _examples(runnable.models())
    packed = [models.pack(model) for model in unpacked]
    return packed + [canonical.canonical_bytes(content, "seed") for content in packed]


def is_flexbuffer(target: str) -> bool:
    """Returns whether a target takes custom options instead of a .tflite."""
    return target == "canonicalize_flexbuffer"


def corpus(target: str) -> dict[str, bytes]:
    """Returns the inputs on which a target of this kind once failed, by file name."""
    folder = _CORPUS / ("flexbuffer" if is_flexbuffer(target) else "tflite")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def of(target: str) -> dict[str, bytes]:
    """Returns a target's seeds by file name."""
    if is_flexbuffer(target):
        contents = [bytes(flexbuffers.Dumps(v)) for v in _examples(generated.FLEXBUFFER_MAPS)]
    else:
        contents = _models()
    if target == "diff_tflite":
        contents += [left + right for left, right in zip(contents, contents[1:], strict=False)]
    return {f"seed{i}": content for i, content in enumerate(contents)} | corpus(target)
