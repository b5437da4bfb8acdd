"""Times each operator where it runs, in TensorFlow Lite's own interpreter.

The interpreter's Python interface has no profiler. But it takes a delegate by its address, and
a delegate is a table of C functions (tensorflow/lite/core/c/common.h), which ctypes can make. This
delegate replaces no operator. It keeps the interpreter's context. When the graph is ready,
delegates included, it wraps the `invoke` of every node that will run in a stopwatch.

XNNPACK's node stands for many operators. XNNPACK times them itself if the context has a
`tflite::Profiler` (tensorflow/lite/core/api/profiler.h), so the context gets one. In the Itanium
C++ ABI, such an object is a pointer to a table of functions. The layouts here are those of the
pinned TensorFlow; tests check them against it, and only a benchmark's own process uses them.
"""

import ctypes
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.model import Subgraph

# kTfLiteDelegateFlagsAllowDynamicTensors: without it, the graph would refuse other delegates.
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


# The virtual functions of tflite::Profiler in the order of their declaration: a destructor, which
# takes two entries, the beginning and two ends of an event, and two ways to add one. The first
# argument is the object. Only the first way to add is used; the arguments of the others are not
# read, and the caller removes them.
_Add = ctypes.CFUNCTYPE(
    None,
    _Address,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_uint64,
    ctypes.c_int64,
    ctypes.c_int64,
)
_Unused = ctypes.CFUNCTYPE(ctypes.c_uint32, _Address)


@dataclasses.dataclass(frozen=True)
class Timed:
    """An operator and its times.

    Attributes:
      name: its name, such as "CONV_2D" or XNNPACK's "Convolution (NHWC, F32) IGEMM".
      where: the name of the tensor that it writes; "" for an operator inside a delegate.
      seconds: its time in each profiled run.
    """

    name: str
    where: str
    seconds: tuple[float, ...]


class Stopwatch:
    """A delegate that delegates nothing and times operators.

    It belongs to one interpreter and must live as long as that one.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._nodes: dict[int, list[float]] = {}
        self._names: dict[int, str] = {}
        self._inside: dict[tuple[int, int], list[float]] = {}
        self._inside_names: dict[tuple[int, int], str] = {}
        self._running = -1
        # Keeps ctypes' callbacks alive as long as the interpreter may call them.
        self._kept: list[Any] = []
        self._profiler = self._make_profiler()
        self._prepare = _Prepare(self._keep_context)
        self._delegate = _Delegate(prepare=self._prepare, flags=_ALLOW_DYNAMIC_TENSORS)

    def _get_native_delegate_pointer(self) -> int:
        """Returns the delegate's address; tf.lite.Interpreter calls this."""
        return ctypes.addressof(self._delegate)

    def _make_profiler(self) -> ctypes.Array:
        unused = _Unused(lambda profiler: 0)
        functions = [*[unused] * 5, _Add(self._add), unused]
        table = (_Address * len(functions))(
            *(ctypes.cast(function, _Address) for function in functions)
        )
        self._kept += [functions, table]
        return (_Address * 1)(ctypes.addressof(table))

    def _keep_context(self, context: Any, unused_delegate: int) -> int:
        if self._context is not None:
            # Another subgraph's context. Its time counts as that of the operator that runs it.
            return 0
        fields = context.contents
        # The context has these functions only while a delegate is being prepared.
        self._get_plan = _GetExecutionPlan(ctypes.cast(fields.get_execution_plan, _Address).value)
        self._get_node = _GetNodeAndRegistration(
            ctypes.cast(fields.get_node_and_registration, _Address).value
        )
        self._context = ctypes.addressof(fields)
        fields.profiler = ctypes.addressof(self._profiler)
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
        """Starts timing every node. The interpreter must have allocated its tensors.

        Raises:
          cli.UserError: the interpreter's nodes cannot be timed.
        """
        plan = _Address()
        if self._context is None or self._get_plan(self._context, ctypes.byref(plan)):
            raise cli.UserError(
                "this interpreter does not expose its operators; run without --profile."
            )
        count = ctypes.c_int.from_address(plan.value).value
        first = plan.value + ctypes.sizeof(ctypes.c_int)
        for index in (ctypes.c_int * count).from_address(first):
            node, registration = _Address(), ctypes.POINTER(_Registration)()
            if self._get_node(self._context, index, ctypes.byref(node), ctypes.byref(registration)):
                raise cli.UserError(f"operator {index} cannot be timed; run without --profile.")
            self._wrap(index, registration.contents)
        for times in self._inside.values():
            times.clear()

    def operators(self, graph: Subgraph) -> list[Timed]:
        """Returns the operators that ran since `start`, in the order in which they ran.

        Operators inside a delegate come in the place of the delegate's node. The rest of the node's
        time is a row of its own after them.
        """
        operators = []
        for index, seconds in self._nodes.items():
            inside = [
                Timed(self._inside_names[key], "", tuple(times))
                for key, times in sorted(self._inside.items())
                if key[0] == index and len(times) == len(seconds)
            ]
            operators += inside
            name, where = _described(graph, index, self._names[index])
            if inside:
                parts = zip(seconds, sum_of(inside), strict=True)
                seconds = [max(node - within, 0.0) for node, within in parts]
                name += ", outside its operators"
            operators.append(Timed(name, where, tuple(seconds)))
        return operators


def _described(graph: Subgraph, index: int, custom_name: str) -> tuple[str, str]:
    # The numbers of delegates' nodes come after those of the file's operators.
    if index >= len(graph.operators):
        return custom_name, ""
    operator = graph.operators[index]
    written = [graph.tensors[k].name for k in operator.outputs if k >= 0]
    return operator.name, written[0] if written else ""


def sum_of(operators: Sequence[Timed]) -> list[float]:
    """Returns the sum of all operators' seconds for each profiled run."""
    return [sum(run) for run in zip(*(timed.seconds for timed in operators), strict=True)]
