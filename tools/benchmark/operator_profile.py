"""Times each operator where it runs, in TensorFlow Lite's own interpreter.

The interpreter's Python interface has no profiler. But it takes a delegate by its address, and
a delegate is a table of C functions (tensorflow/lite/core/c/common.h), which ctypes can make. This
one replaces nothing. It keeps the interpreter's context, and when the graph is ready, delegates
included, it puts a stopwatch before the `invoke` of every node that is going to run.

XNNPACK's node stands for many operators. XNNPACK times them itself when the context names a
`tflite::Profiler` (tensorflow/lite/core/api/profiler.h), so the context gets one: an object of C++
by the Itanium ABI is a pointer to a table of functions. These layouts are those of the TensorFlow
that is pinned; tests hold them against it, and nothing but a benchmark's own process uses them.
"""

import ctypes
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from tools.lib.cli import cli
from tools.lib.tflite_file.model import Subgraph

# kTfLiteDelegateFlagsAllowDynamicTensors: otherwise the graph would be closed to other delegates.
_ALLOW_DYNAMIC_TENSORS = 1
# tflite::Profiler::EventType::DELEGATE_PROFILED_OPERATOR_INVOKE_EVENT
_DELEGATE_OPERATOR = 8

_Address = ctypes.c_void_p
_Invoke = ctypes.CFUNCTYPE(ctypes.c_int, _Address, _Address)
_GetExecutionPlan = ctypes.CFUNCTYPE(ctypes.c_int, _Address, ctypes.POINTER(_Address))


class _Registration(ctypes.Structure):
    """The beginning of TfLiteRegistration."""

    _fields_ = [
        ("init", _Address),
        ("free", _Address),
        ("prepare", _Address),
        ("invoke", _Address),
        ("profiling_string", _Address),
        ("builtin_code", ctypes.c_int32),
        ("custom_name", ctypes.c_char_p),
    ]


_GetNodeAndRegistration = ctypes.CFUNCTYPE(
    ctypes.c_int,
    _Address,
    ctypes.c_int,
    ctypes.POINTER(_Address),
    ctypes.POINTER(ctypes.POINTER(_Registration)),
)


class _Context(ctypes.Structure):
    """The beginning of TfLiteContext."""

    _fields_ = [
        ("tensors_size", ctypes.c_size_t),
        ("get_execution_plan", _GetExecutionPlan),
        ("tensors", _Address),
        ("implementation", _Address),
        ("resize_tensor", _Address),
        ("report_error", _Address),
        ("add_tensors", _Address),
        ("get_node_and_registration", _GetNodeAndRegistration),
        ("replace_node_subsets", _Address),
        ("recommended_num_threads", ctypes.c_int),
        ("get_external_context", _Address),
        ("set_external_context", _Address),
        ("allow_fp32_relax_to_fp16", ctypes.c_bool),
        ("profiler", _Address),
    ]


_Prepare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Context), _Address)


class _Delegate(ctypes.Structure):
    """TfLiteDelegate."""

    _fields_ = [
        ("data", _Address),
        ("prepare", _Prepare),
        ("copy_from_buffer_handle", _Address),
        ("copy_to_buffer_handle", _Address),
        ("free_buffer_handle", _Address),
        ("flags", ctypes.c_int64),
        ("opaque_delegate_builder", _Address),
    ]


# The virtual functions of tflite::Profiler in the order in which they are declared; a destructor
# takes two places. The first argument is the object.
_PROFILER_FUNCTIONS = (
    ("destroy", ctypes.CFUNCTYPE(None, _Address)),
    ("delete", ctypes.CFUNCTYPE(None, _Address)),
    (
        "begin",
        ctypes.CFUNCTYPE(
            ctypes.c_uint32,
            _Address,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_int64,
            ctypes.c_int64,
        ),
    ),
    (
        "end_with_metadata",
        ctypes.CFUNCTYPE(None, _Address, ctypes.c_uint32, ctypes.c_int64, ctypes.c_int64),
    ),
    ("end", ctypes.CFUNCTYPE(None, _Address, ctypes.c_uint32)),
    (
        "add",
        ctypes.CFUNCTYPE(
            None,
            _Address,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint64,
            ctypes.c_int64,
            ctypes.c_int64,
        ),
    ),
    (
        "add_with_data",
        ctypes.CFUNCTYPE(None, _Address, ctypes.c_char_p, ctypes.c_int, _Address),
    ),
)


@dataclasses.dataclass(frozen=True)
class Timed:
    """An operator and what it took.

    Attributes:
      name: the operator's, as "CONV_2D" or XNNPACK's "Convolution (NHWC, F32) IGEMM".
      where: the name of the tensor that it writes; "" for one inside a delegate.
      seconds: of each profiled run.
    """

    name: str
    where: str
    seconds: tuple[float, ...]


class Stopwatch:
    """A delegate that delegates nothing. One belongs to one interpreter and lives as long."""

    def __init__(self) -> None:
        self._context: Any = None
        self._nodes: dict[int, list[float]] = {}
        self._names: dict[int, str] = {}
        self._inside: dict[tuple[int, int], list[float]] = {}
        self._inside_names: dict[tuple[int, int], str] = {}
        self._running = -1
        # What ctypes made stays reachable as long as the interpreter may call it.
        self._kept: list[Any] = []
        self._profiler = self._make_profiler()
        self._prepare = _Prepare(self._keep_context)
        self._delegate = _Delegate(prepare=self._prepare, flags=_ALLOW_DYNAMIC_TENSORS)

    def _get_native_delegate_pointer(self) -> int:
        """What tf.lite.Interpreter asks each of its delegates for."""
        return ctypes.addressof(self._delegate)

    def _make_profiler(self) -> ctypes.Array:
        def nothing(*unused: object) -> int:
            return 0

        functions = [
            kind(self._add if name == "add" else nothing) for name, kind in _PROFILER_FUNCTIONS
        ]
        table = (_Address * len(functions))(
            *(ctypes.cast(function, _Address) for function in functions)
        )
        self._kept += [functions, table]
        return (_Address * 1)(ctypes.addressof(table))

    def _keep_context(self, context: Any, unused_delegate: int) -> int:
        if self._context is not None:
            # That of another subgraph; what it takes counts in the operator that runs it.
            return 0
        held = context.contents
        # The interpreter takes these functions away again when no delegate is being prepared.
        self._get_plan = _GetExecutionPlan(ctypes.cast(held.get_execution_plan, _Address).value)
        self._get_node = _GetNodeAndRegistration(
            ctypes.cast(held.get_node_and_registration, _Address).value
        )
        self._context = ctypes.addressof(held)
        held.profiler = ctypes.addressof(self._profiler)
        return 0

    def _add(
        self, unused: int, tag: bytes, event: int, microseconds: int, number: int, extra: int
    ) -> None:
        del extra
        if event == _DELEGATE_OPERATOR:
            key = (self._running, number)
            self._inside_names[key] = tag.decode("utf-8", "backslashreplace")
            self._inside.setdefault(key, []).append(microseconds / 1e6)

    def _wrap(self, index: int, registration: _Registration) -> None:
        invoke = _Invoke(registration.invoke)
        seconds = self._nodes.setdefault(index, [])

        def timed(context: int, node: int) -> int:
            self._running = index
            begun = time.perf_counter_ns()
            status = invoke(context, node)
            seconds.append((time.perf_counter_ns() - begun) / 1e9)
            return status

        function = _Invoke(timed)
        self._kept.append(function)
        registration.invoke = ctypes.cast(function, _Address).value
        self._names[index] = (registration.custom_name or b"").decode("utf-8", "backslashreplace")

    def start(self) -> None:
        """Puts the stopwatch before each node. The interpreter has allocated its tensors.

        Raises:
          cli.UserError: the interpreter is not one whose nodes can be timed.
        """
        plan = _Address()
        if self._context is None or self._get_plan(self._context, ctypes.byref(plan)):
            raise cli.UserError(
                "this interpreter does not show its operators; leave --profile out."
            )
        count = ctypes.c_int.from_address(plan.value).value
        first = plan.value + ctypes.sizeof(ctypes.c_int)
        for index in (ctypes.c_int * count).from_address(first):
            node, registration = _Address(), ctypes.POINTER(_Registration)()
            if self._get_node(self._context, index, ctypes.byref(node), ctypes.byref(registration)):
                raise cli.UserError(f"operator {index} cannot be timed; leave --profile out.")
            self._wrap(index, registration.contents)
        for times in self._inside.values():
            times.clear()

    def operators(self, graph: Subgraph) -> list[Timed]:
        """Returns what ran since `start`, in the order in which it ran.

        Operators inside a delegate stand where the delegate's node would; what the node took
        besides them is a row of its own.

        Args:
          graph: the subgraph that ran.
        """
        found = []
        for index, seconds in self._nodes.items():
            inside = [
                Timed(self._inside_names[key], "", tuple(times))
                for key, times in sorted(self._inside.items())
                if key[0] == index and len(times) == len(seconds)
            ]
            found += inside
            name, where = _described(graph, index, self._names[index])
            if inside:
                within = [
                    sum(run) for run in zip(*(timed.seconds for timed in inside), strict=True)
                ]
                seconds = [
                    max(whole - part, 0.0) for whole, part in zip(seconds, within, strict=True)
                ]
                name += ", beside its operators"
            found.append(Timed(name, where, tuple(seconds)))
        return found


def _described(graph: Subgraph, index: int, custom_name: str) -> tuple[str, str]:
    # The nodes of delegates are numbered behind the operators of the file.
    if index >= len(graph.operators):
        return custom_name, ""
    operator = graph.operators[index]
    written = [graph.tensors[k].name for k in operator.outputs if k >= 0]
    return operator.name, written[0] if written else ""


def sum_of(operators: Sequence[Timed]) -> list[float]:
    """Returns the seconds of all operators together for each profiled run."""
    return [sum(run) for run in zip(*(timed.seconds for timed in operators), strict=True)]
