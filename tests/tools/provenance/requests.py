"""Provenance requests with small files, as tools/tflite/private/provenance.bzl writes, and keys."""

import hashlib
import json
import pathlib
from typing import Any

from cryptography.hazmat.primitives import serialization

from reproducible_tflite.steps.provenance import materials, statement

LOCK = """\
# Written by: bazel run //third_party:relock
absl-py==2.1.0 \\
    --hash=sha256:{a}
    # file: absl_py-2.1.0-py3-none-any.whl
tensorflow-cpu==2.15.1 \\
    --hash=sha256:{b}
    # file: tensorflow_cpu-2.15.1-cp311-cp311-manylinux_2_17_x86_64.whl
""".format(a="a" * 64, b="b" * 64)

SDIST = """\
some-models==1.0.post2 \\
    --hash=sha256:{c}
    # file: some_models-1.0.post2.tar.gz
""".format(c="c" * 64)

PUBLISHED = {
    "some_model": {
        "licence": "Apache-2.0",
        "files": [{"url": "https://example.org/some%20model.tar.gz?x=1", "sha256": "d" * 64}],
    }
}


def sha256(content: bytes) -> str:
    """Returns a sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _debian_row(package: str, content: bytes) -> dict[str, str]:
    return {
        "package": package,
        "version": "1:2.36-9+deb12u14",
        "architecture": "amd64",
        "suite": "bookworm",
        "file": f"{package}_1%3a2.36-9+deb12u14_amd64.deb",
        "sha256": sha256(content),
    }


def make(folder: str) -> dict[str, Any]:
    """Writes the files of a request into a folder, and returns the request."""
    root = pathlib.Path(folder)

    def write(path: str, content: str | bytes) -> str:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return str(file)

    debs = {
        name: f"content of {name}".encode()
        for name in [
            "bazel-skylib",
            "bazel-platforms",
            "bazel-rules-cc",
            "bazel-rules-license",
            "bazel-rules-python",
            "libc6",
            "python3-pip-whl",
            "python3-setuptools-whl",
        ]
    }
    locks = {
        "third_party/debian/packages.lock.json": json.dumps(
            {"packages": [_debian_row(name, content) for name, content in debs.items()]}
        ),
        "third_party/pip/requirements.lock": LOCK,
        "third_party/some/adapt.py": "print('adapted')",
        "third_party/some/source.lock": SDIST,
        "third_party/tensorflow/2.15.1.lock": LOCK,
        "third_party/checkpoints/released.lock.json": json.dumps(PUBLISHED),
        "third_party/python/cpython_3_7.lock.json": json.dumps(PUBLISHED),
    }
    table = {
        "bazel_skylib": {"package": "@reproducible_tflite_debian//:bazel-skylib.deb"},
        "platforms": {"package": "@reproducible_tflite_debian//:bazel-platforms.deb"},
        "rules_cc": {"package": "@reproducible_tflite_debian//:bazel-rules-cc.deb"},
        "rules_license": {"package": "@reproducible_tflite_debian//:bazel-rules-license.deb"},
        "rules_python": {"package": "@reproducible_tflite_debian//:bazel-rules-python.deb"},
        "reproducible_tflite_cpython_3_11": {
            "packages": ["@reproducible_tflite_debian//:libc6.deb"]
        },
        "reproducible_tflite_cpython_3_7": {
            "archive": "some_model",
            "lock": "third_party/some/source.lock",
            "packages": ["@reproducible_tflite_debian//:libc6.deb"],
            "table": "third_party/python/cpython_3_7.lock.json",
        },
        "reproducible_tflite_debian": {"lock": "third_party/debian/packages.lock.json"},
        "reproducible_tflite_pip_absl_py": {
            "lock": "third_party/pip/requirements.lock",
            "requirements": ["absl-py"],
        },
        "reproducible_tflite_released_some_model": {
            "archive": "some_model",
            "table": "third_party/checkpoints/released.lock.json",
        },
        "some_models": {
            "adapter": "third_party/some/adapt.py",
            "lock": "third_party/some/source.lock",
        },
        "reproducible_tflite_tensorflow_2_15_1": {"lock": "third_party/tensorflow/2.15.1.lock"},
    }
    debian_packages = {
        f"{name}.deb": write(f"debs/{name}.deb", content) for name, content in debs.items()
    }
    debian_packages["replaced.json"] = write("debs/replaced.json", "{}\n")
    return {
        "bazel": {"version": "7.7.1", "sha256": "e" * 64},
        "benchmark_only": False,
        "byproducts": {"frozen graph": write("x.pb", "graph")},
        "checkpoint": [write("x/model.ckpt.index", "index")],
        "converter": "toco",
        "debian_packages": debian_packages,
        "integer": True,
        "interpreter": "hermetic",
        "lock_files": {name: write(name, text) for name, text in locks.items()},
        "materials": table,
        "model": write("x.tflite", "model"),
        "preprocessing": "minus_one_to_one",
        "quantization_aware": True,
        "raw": write("x.raw.tflite", "raw"),
        "repositories": [
            "reproducible_tflite_cpython_3_11",
            "reproducible_tflite_pip_absl_py",
            "some_models",
            "reproducible_tflite_tensorflow_2_15_1",
        ],
        "samples": None,
        "own_prefix": "",
        "sources": [
            {
                "name": "tools/lib/values/weights.py",
                "path": write("tools/lib/values/weights.py", "import math"),
            }
        ],
        "steps": [
            {
                "label": "//models/x:x.recipe",
                "rule": "recipe",
                "attributes": {"input_arrays": ["a"], "minimum_operators": 10},
            },
            {
                "label": "//models/x:checkpoint.seeded",
                "rule": "seeded_checkpoint",
                "attributes": {"seed": 7},
            },
        ],
        "target": "//models/x:x",
        "tensorflow_version": "2.15.1",
        "weights": "seeded",
        "weights_description": "seeded weights (synthetic, seed 7): not trained",
    }


def make_statement(folder: str, model: bytes = b"model") -> dict[str, Any]:
    """Returns a valid statement about a model."""
    request = make(folder)
    return statement.build(
        request, {"x.tflite": sha256(model)}, materials.collect(request), {"x.mlbom.json": "f" * 64}
    )


def write_keys(folder: str, name: str, private_key: Any) -> tuple[str, str]:
    """Writes a key pair like openssl; returns the paths of the private and the public key."""
    private, public = (pathlib.Path(folder, f"{name}{ending}") for ending in (".pem", ".pub.pem"))
    private.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    public.write_bytes(
        private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return str(private), str(public)
