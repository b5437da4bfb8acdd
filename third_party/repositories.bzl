"""The external repositories, all pinned by digest."""

load("//third_party/adapt:adapted.bzl", "adapted_source", "wheel_files")
load("//third_party/as_published:repositories.bzl", "as_published_repositories")
load("//third_party/checkpoints:released.bzl", "released_archives")
load("//third_party/debian:debian.bzl", "debian_package_tree", "debian_packages")
load("//third_party/debian:programs.bzl", "debian_programs", "worker_image")
load("//third_party/materials:materials.bzl", "materials")
load("//third_party/pip:requirements.bzl", "pip_sites")
load("//third_party/pip:wheels.bzl", "python_site")
load("//third_party/protobuf:schema.bzl", "execution_log_schema")
load("//third_party/python:confinement.bzl", "confinement")
load("//third_party/python:cpython.bzl", "AUDIT_PACKAGES", "cpython")
load("//third_party/python:cpython_3_7.bzl", "cpython_3_7", "cpython_3_8")
load("//tools/tensorflow:versions.bzl", "VERSIONS_ON_PYTHON_3_11", "VERSION_ON_PYTHON_3_7")

# The shared libraries that every CPython here needs, including the C library.
CPYTHON_3_7_PACKAGES = [
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "zlib1g",
]

# The interpreter, its library, and one more that it needs; the build of CPython 3.7 includes these.
CPYTHON_3_11_PACKAGES = sorted(CPYTHON_3_7_PACKAGES + [
    "libexpat1",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3-distutils",
    "python3-lib2to3",
    "python3.11-minimal",
])

# The libraries for nginx from the same packages; its other packages have a separate lock.
NGINX_LIBRARY_PACKAGES = [
    "libc6",
    "libcrypt1",
    "libssl3",
    "zlib1g",
]

# Parts of TensorFlow's closure that no conversion imports, since every file is part of every action's digest: TensorBoard's
# server and its access to Google's services, build tools, and headers and compilers for kernels.
TENSORFLOW_UNREAD = [
    "_distutils_hack",
    "cffi",
    "clang",
    "cryptography",
    "google/auth",
    "google/oauth2",
    "google_auth_oauthlib",
    "grpc",
    "markdown",
    "numpy/distutils",
    "numpy/f2py",
    "oauthlib",
    "pasta",
    "pyasn1",
    "pyasn1_modules",
    "pycparser",
    "requests_oauthlib",
    "setuptools",
    "tensorboard/_vendor",
    "tensorboard_data_server",
    "tensorflow/include",
    "tensorflow_estimator",
    "werkzeug",
    "wheel",
]

# Name, Debian package, and the folder in it.
_SHARED = [
    ("bazel_skylib", "bazel-skylib", "usr/share/bazel/tools/skylib"),
    ("platforms", "bazel-platforms", "usr/share/bazel/tools/platforms"),
    ("rules_cc", "bazel-rules-cc", "usr/share/bazel/rules/cc"),
    ("rules_license", "bazel-rules-license", "usr/share/bazel/rules/license"),
    ("rules_python", "bazel-rules-python", "usr/share/bazel/rules/python"),
]

def _resolved(attributes):
    """Returns attributes with labels for text: a text would be a label of the repository that calls the macro."""

    def resolved(value):
        return Label(value) if type(value) == "string" and value.startswith(("//", "@")) else value

    return {
        name: [resolved(element) for element in value] if type(value) == "list" else resolved(value)
        for name, value in attributes.items()
    }

def reproducible_tflite_repositories(shared = True):
    """Declares every external repository. Each is fetched when it is first needed.

    Args:
      shared: whether to declare also those whose names others use too, such as `@rules_python`, where they are not yet
        declared. A module has them as its `bazel_dep`s.
    """
    own = Label("//third_party").workspace_name
    if shared and own not in ["", "reproducible_tflite"]:
        fail("{}: name this repository reproducible_tflite, as what it declares does.".format(own))
    declared = {}

    def declare(rule, name, **attributes):
        """Declares a repository, and notes what it is made from."""
        declared[name] = _resolved(attributes)
        rule(name = name, **declared[name])

    declare(
        debian_packages,
        "reproducible_tflite_debian",
        lock = "//third_party/debian:packages.lock.json",
    )

    # Used by cpython only, during the audit.
    declare(
        debian_packages,
        AUDIT_PACKAGES,
        lock = "//third_party/debian:audit.lock.json",
    )
    for name, package, prefix in _SHARED:
        if shared and not native.existing_rule(name):
            declare(
                debian_package_tree,
                name,
                package = "@reproducible_tflite_debian//:{}.deb".format(package),
                strip_prefix = prefix,
            )
    declare(
        cpython,
        "reproducible_tflite_cpython_3_11",
        packages = ["@reproducible_tflite_debian//:{}.deb".format(package) for package in CPYTHON_3_11_PACKAGES],
        version = "3.11",
    )
    declare(
        confinement,
        "reproducible_tflite_confinement",
        python = "@reproducible_tflite_cpython_3_11//:python",
    )
    pip_sites(declare)
    for version in VERSIONS_ON_PYTHON_3_11:
        declare(
            python_site,
            "reproducible_tflite_tensorflow_" + version.replace(".", "_"),
            drop = TENSORFLOW_UNREAD,
            lock = "//third_party/tensorflow:{}.lock".format(version),
        )
    declare(
        cpython_3_7,
        "reproducible_tflite_cpython_3_7",
        archive = "cpython-3.7.9",
        lock = "//third_party/zstandard:requirements.lock",
        packages = ["@reproducible_tflite_debian//:{}.deb".format(package) for package in CPYTHON_3_7_PACKAGES],
        table = "//third_party/python:cpython_3_7.lock.json",
        version = "3.7",
    )
    declare(
        cpython_3_8,
        "reproducible_tflite_cpython_3_8",
        lock = "//third_party/zstandard:requirements.lock",
        packages = ["@reproducible_tflite_debian//:{}.deb".format(package) for package in CPYTHON_3_7_PACKAGES],
        version = "3.8",
    )
    declare(
        python_site,
        "reproducible_tflite_tensorflow_" + VERSION_ON_PYTHON_3_7.replace(".", "_"),
        abi = "cp37m",
        drop = ["tensorflow_core/include"],
        interpreter = "@reproducible_tflite_cpython_3_7//:python",
        lock = "//third_party/tensorflow:{}.lock".format(VERSION_ON_PYTHON_3_7),
        python_version = "37",
    )
    declare(
        adapted_source,
        "reproducible_tflite_tf_models_object_detection",
        adapter = "//third_party/object_detection:adapt.py",
        lock = "//third_party/object_detection:source.lock",
        tools_lock = "//third_party/object_detection:protoc.lock",
    )
    declare(
        adapted_source,
        "reproducible_tflite_tf1_contrib_quantize",
        abi = "cp37m",
        adapter = "//third_party/contrib_quantize:adapt.py",
        lock = "//third_party/contrib_quantize:source.lock",
        python_version = "37",
    )
    declare(
        adapted_source,
        "reproducible_tflite_huggingface_transformers",
        adapter = "//third_party/transformers:adapt.py",
        lock = "//third_party/transformers:source.lock",
    )
    declare(
        python_site,
        "reproducible_tflite_huggingface_requirements",
        # It downloads models, and is only needed as an entry in huggingface-hub's requirements.
        drop = ["hf_xet"],
        lock = "//third_party/transformers:requirements.lock",
    )
    declare(
        python_site,
        "reproducible_tflite_fuzz_site",
        # libFuzzer is linked in; these are for fuzzing native extensions, and for rebuilding.
        drop = [
            "asan_with_fuzzer.so",
            "libclang_rt.fuzzer_no_main.a",
            "ubsan_cxx_with_fuzzer.so",
            "ubsan_with_fuzzer.so",
        ],
        lock = "//third_party/fuzz:requirements.lock",
    )
    declare(
        wheel_files,
        "reproducible_tflite_photographs",
        lock = "//third_party/photographs:source.lock",
        members = ["skimage/data/" + name for name in [
            "astronaut.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "rocket.jpg",
        ]],
    )
    declare(
        wheel_files,
        "reproducible_tflite_basic_pitch",
        lock = "//third_party/basic_pitch:source.lock",
        members = ["basic_pitch/saved_models/icassp_2022/" + name for name in [
            "nmp",
            "nmp.onnx",
            "nmp.tflite",
        ]] + ["basic_pitch-0.4.0.dist-info/" + name for name in [
            "LICENSE",
            "NOTICE",
        ]],
    )
    declare(
        wheel_files,
        "reproducible_tflite_torchvision_labels",
        lock = "//third_party/labels:torchvision.lock",
        members = ["torchvision/models/_meta.py"],
    )
    declare(
        wheel_files,
        "reproducible_tflite_mmsegmentation_labels",
        lock = "//third_party/labels:mmsegmentation.lock",
        members = ["mmseg/utils/class_names.py"],
    )
    declare(
        python_site,
        "reproducible_tflite_evaluate_site",
        # TensorFlow's closure has the same package.
        drop = [
            "numpy",
            "numpy.libs",
        ],
        lock = "//third_party/evaluate:requirements.lock",
    )

    # For programs that read, write and run models and need nothing else from TensorFlow's closure.
    declare(
        python_site,
        "reproducible_tflite_litert_site",
        # Only what reads, writes and runs models stays. Without __init__.py, which loads a library of 8 MB, the package
        # is a namespace.
        drop = ["ai_edge_litert/" + path for path in [
            "__init__.py",
            "aot",
            "libLiteRtWebGpuAccelerator.so",
            "tools",
            "vendors",
        ]] + [
            "numpy/distutils",
            "numpy/f2py",
        ],
        lock = "//third_party/litert:requirements.lock",
    )

    # For `onnx_model`, beside TensorFlow's closure.
    declare(
        python_site,
        "reproducible_tflite_onnx_site",
        # Test data, a library for C, and what prepares models for ONNX Runtime.
        drop = [
            "onnx/backend",
            "onnx/test",
            "onnxruntime/capi/libonnxruntime.so.1.20.1",
            "onnxruntime/datasets",
            "onnxruntime/quantization",
            "onnxruntime/tools",
            "onnxruntime/transformers",
        ],
        lock = "//third_party/onnx:requirements.lock",
        opened = ["onnx2tf/__init__.py"],
    )

    # For `quantization_recipe`, beside LiteRT's site and numpy: litert-quantizer, LiteRT's modules that read and write
    # files, and scipy's linear algebra, which litert-quantizer imports but does not use here.
    declare(
        python_site,
        "reproducible_tflite_quantizer_site",
        drop = ["ai_edge_litert/" + path for path in [
            "__init__.py",
            "_pywrap_analyzer_wrapper.so",
            "_pywrap_litert_compiled_model_wrapper.so",
            "_pywrap_litert_converter.so",
            "_pywrap_litert_environment_wrapper.so",
            "_pywrap_litert_interpreter_wrapper.so",
            "_pywrap_litert_tensor_buffer_wrapper.so",
            "_pywrap_modify_model_interface.so",
            "_pywrap_string_util.so",
            "_pywrap_tensorflow_lite_calibration_wrapper.so",
            "_pywrap_tensorflow_lite_metrics_wrapper.so",
            "_pywrap_tfl_calibration.so",
            "aot",
            "format_converter_wrapper_pybind11.so",
            "libLiteRt.so",
            "libLiteRtWebGpuAccelerator.so",
            "libpywrap_litert_common.so",
            "pywrap_genai_ops.so",
            "tools/apply_plugin_main",
            "tools/benchmark_litert_model.py",
            "vendors",
        ]] + ["scipy/" + path for path in [
            "cluster",
            "constants",
            "datasets",
            "differentiate",
            "fft",
            "fftpack",
            "integrate",
            "interpolate",
            "io",
            "misc",
            "ndimage",
            "odr",
            "optimize",
            "signal",
            "sparse",
            "spatial",
            "special",
            "stats",
        ]],
        lock = "//third_party/quantizer:requirements.lock",
    )

    # For `metadata = True`: the schema of TFLite's metadata and its forms. The rest of the package runs models, and needs
    # a libusb of the machine.
    declare(
        python_site,
        "reproducible_tflite_tflite_support_site",
        drop = ["tensorflow_lite_support/" + path for path in [
            "cc",
            "codegen",
            "metadata/cc",
            "metadata/flatbuffers_lib",
            "python",
            "scann_ondevice",
            "tools",
        ]],
        lock = "//third_party/tflite_support:requirements.lock",
    )

    # No model needs these: playwright is for tests of pages, buildgrid for tests of `tools/execution`.
    for name in ["buildgrid", "netron", "playwright", "protobuf", "provenance", "zstandard"]:
        declare(
            python_site,
            "reproducible_tflite_" + name + "_site",
            lock = "//third_party/{}:requirements.lock".format(name),
        )

    # Used by `ethos_u_report` only.
    declare(
        python_site,
        "reproducible_tflite_vela_site",
        lock = "//third_party/vela:requirements.lock",
        opened = ["ethosu/config_files/Arm/vela.ini"],
    )

    # Used by what reads Bazel's execution logs.
    declare(
        execution_log_schema,
        "reproducible_tflite_execution_log_schema",
        lock = "//third_party/object_detection:protoc.lock",
    )

    # Used by `tools/cache` only.
    declare(
        debian_packages,
        "reproducible_tflite_cache_debian",
        lock = "//third_party/debian:cache.lock.json",
    )
    declare(
        debian_programs,
        "reproducible_tflite_nginx",
        packages = ["@reproducible_tflite_cache_debian//:{}.deb".format(package) for package in ["libpcre2-8-0", "nginx"]] +
                   ["@reproducible_tflite_debian//:{}.deb".format(package) for package in NGINX_LIBRARY_PACKAGES],
        programs = ["usr/sbin/nginx"],
    )

    # Used by `tools/execution` and its tests only.
    declare(
        debian_packages,
        "reproducible_tflite_worker_debian",
        lock = "//third_party/debian:worker.lock.json",
    )
    declare(
        worker_image,
        "reproducible_tflite_worker_image",
        packages = ["@reproducible_tflite_worker_debian//:{}.deb".format(package) for package in ["bash", "coreutils", "dash", "libtinfo6"]] +
                   ["@reproducible_tflite_debian//:libc6.deb"],
        programs = ["bin/bash", "bin/dash", "usr/bin/env"],
    )
    declare(
        debian_programs,
        "reproducible_tflite_bubblewrap",
        packages = ["@reproducible_tflite_worker_debian//:{}.deb".format(package) for package in ["bubblewrap", "libcap2", "libselinux1"]] +
                   ["@reproducible_tflite_cache_debian//:libpcre2-8-0.deb", "@reproducible_tflite_debian//:libc6.deb"],
        programs = ["usr/bin/bwrap"],
    )
    released_archives(declare)
    as_published_repositories(declare)

    # Last: it describes all repositories declared before it.
    materials(
        name = "reproducible_tflite_materials",
        declared = declared,
        pip_packages = ["@reproducible_tflite_debian//:python3-pip-whl.deb", "@reproducible_tflite_debian//:python3-setuptools-whl.deb"],
    )
