"""The case of TLS: a client that knows the server's authority, and one that knows another."""

import pathlib

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import (
    remote_execution_pb2,
    remote_execution_pb2_grpc,
)

from tests.tools.cache import certificates, servers
from tests.tools.cache.certificates import Certified
from tests.tools.cache.small_workspace import ACTIONS, Outcome
from tests.tools.cache.trial import Trial, expect, noticed, seen

# What a Bazel says whose netty knows no ALPN, as Debian's.
_NO_ALPN = "Failed to init TLS infrastructure"


def _answers(server: servers.Server, authority: pathlib.Path) -> bool:
    """Whether a gRPC server is believed by a client that knows an authority."""
    credentials = grpc.ssl_channel_credentials(authority.read_bytes())
    with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
        try:
            remote_execution_pb2_grpc.CapabilitiesStub(channel).GetCapabilities(
                remote_execution_pb2.GetCapabilitiesRequest(), timeout=10
            )
        except grpc.RpcError:
            return False
    return True


def _tls_over_grpc(trial: Trial, server: servers.Server, right: Certified, wrong: Certified) -> str:
    expect(_answers(server, right.authority), "a client that knows the authority has no answer")
    expect(not _answers(server, wrong.authority), "a client with another authority has an answer")
    known = trial.read(server, f"--tls_certificate={right.authority}")
    if _NO_ALPN in known.log:
        noticed(known)
        return "right: answered; wrong: refused; this Bazel has no gRPC over TLS, and builds here"
    unknown = trial.read(server, f"--tls_certificate={wrong.authority}")
    return _told_apart(known, unknown)


def _told_apart(known: Outcome, unknown: Outcome) -> str:
    """Holds a build that knows the authority against one that knows another."""
    expect(known.hits == ACTIONS, f"with the right authority: {known.log}")
    expect(unknown.hits == 0, f"with the wrong authority: {unknown.counts}")
    noticed(unknown)
    return f"right: {known.hits} hits; wrong: {seen(unknown)}"


def tls(trial: Trial) -> str:
    """TLS: a client that knows the authority, and one that knows another."""
    trial.prefilled()
    right = certificates.make(trial.folder, "right")
    wrong = certificates.make(trial.folder, "wrong")
    options = (f"--tls_certificate={right.certificate}", f"--tls_key={right.key}")
    with trial.serve(*options) as server:
        if trial.backend == "buildgrid":
            return _tls_over_grpc(trial, server, right, wrong)
        unknown, known = (
            trial.read(server, f"--tls_certificate={trusted.authority}")
            for trusted in (wrong, right)
        )
    return _told_apart(known, unknown)
