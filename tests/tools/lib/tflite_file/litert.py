"""What the pinned LiteRT itself says of models."""

import os
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import interpreter

_RESOLVER = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _loads(content: bytes) -> bool:
    try:
        interpreter.Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=_RESOLVER
        )
    except (RuntimeError, SystemError, ValueError):
        return False
    return True


def loaded(contents: Sequence[bytes]) -> list[bool]:
    """Returns which models LiteRT loads. Child processes try, since it crashes on some."""
    answers: list[bool] = []
    while len(answers) < len(contents):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            for content in contents[len(answers) :]:
                os.write(writing, bytes([_loads(content)]))
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as stream:
            answers += map(bool, stream.read())
        _, status = os.waitpid(child, 0)
        if status:
            answers.append(False)
    return answers


def outputs(content: bytes, seed: int) -> dict[str, bytes]:
    """Returns the outputs for random input, by name."""
    runner = interpreter.Interpreter(model_content=content, num_threads=1)
    runner.allocate_tensors()
    numbers = np.random.default_rng(seed)
    for detail in sorted(runner.get_input_details(), key=lambda detail: detail["name"]):
        runner.set_tensor(detail["index"], numbers.random(detail["shape"]).astype(np.float32))
    runner.invoke()
    return {d["name"]: runner.get_tensor(d["index"]).tobytes() for d in runner.get_output_details()}
