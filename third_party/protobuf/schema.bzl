"""The schema of Bazel's execution logs as a Python module."""

load("//third_party/pip:wheels.bzl", "extract_wheel", "fetch_wheels", "pip_attrs")
load("//third_party/python:cpython.bzl", "HERMETIC_ENVIRONMENT")

_BUILD = """\
load("@rules_python//python:defs.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "spawn_pb2",
    srcs = ["spawn_pb2.py"],
    imports = ["."],
    deps = ["@reproducible_tflite_protobuf_site//:site_library"],
)
"""

def _execution_log_schema_impl(ctx):
    schema = ctx.path(ctx.attr._schema)
    for wheel in fetch_wheels(ctx, ctx.read(ctx.attr.lock), "wheels"):
        extract_wheel(ctx, "wheels/" + wheel.file, "protoc")
    result = ctx.execute(
        [
            ctx.path(ctx.attr.python),
            "-m",
            "grpc_tools.protoc",
            "--proto_path={}".format(schema.dirname),
            "--python_out=.",
            schema.basename,
        ],
        environment = dict(HERMETIC_ENVIRONMENT, PYTHONPATH = str(ctx.path("protoc"))),
    )
    if result.return_code != 0:
        fail("{} cannot be compiled: {}".format(schema, result.stderr.strip()))
    for path in ["protoc", "wheels"]:
        ctx.delete(path)
    ctx.file("BUILD.bazel", _BUILD)

execution_log_schema = repository_rule(
    implementation = _execution_log_schema_impl,
    doc = """`spawn_pb2`: Bazel's own spawn.proto, compiled. Its package among Bazel's tools does not load without rules
for C++ and Java protos, so no genrule could have the file.""",
    attrs = dict(
        pip_attrs,
        _schema = attr.label(default = Label("@bazel_tools//src/main/protobuf:spawn.proto")),
    ),
)
