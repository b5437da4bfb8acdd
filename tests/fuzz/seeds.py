"""What fuzzing starts from: generated models and options, and all inputs that once failed."""

import pathlib

from flatbuffers import flexbuffers
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from tests.tools.lib.tflite_file import generated, models, runnable
from tools.lib.tflite_file import canonical

_GENERATED = 16
_CORPUS = pathlib.Path(__file__).parent / "corpus"


def _examples(strategy: st.SearchStrategy) -> list:
    """The same examples in every run; simple ones first."""
    found = []

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
        found.append(value)

    collect()
    return found


def _models() -> list[bytes]:
    made = [models.layered(), models.detector()]
    made += _examples(generated.models(wild=True)) + _examples(runnable.models())
    packed = [models.pack(model) for model in made]
    return packed + [canonical.canonical_bytes(content, "seed") for content in packed]


def is_flexbuffer(target: str) -> bool:
    """Whether a target takes custom options instead of a .tflite."""
    return target == "canonicalize_flexbuffer"


def corpus(target: str) -> dict[str, bytes]:
    """The inputs on which a target of its kind once failed, by their files' names."""
    folder = _CORPUS / ("flexbuffer" if is_flexbuffer(target) else "tflite")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def of(target: str) -> dict[str, bytes]:
    """Contents for a target to start from, by file name."""
    if is_flexbuffer(target):
        made = [bytes(flexbuffers.Dumps(v)) for v in _examples(generated.FLEXBUFFER_MAPS)]
    else:
        made = _models()
    if target == "diff_tflite":
        made += [left + right for left, right in zip(made, made[1:], strict=False)]
    return {f"seed{i}": content for i, content in enumerate(made)} | corpus(target)
