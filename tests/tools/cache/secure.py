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
from tests.tools.cache.trial import READ, Trial, expect, noticed, seen

# Bazel's exit code for an internal error.
_CRASHED = 37


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
    outcome = trial.reader.build(
        trial.seed,
        READ,
        f"--remote_cache={server.address()}",
        f"--tls_certificate={right.authority}",
    )
    if outcome.code == _CRASHED:
        # On Java 17, which Debian runs it on, Bazel 4.2.3 has no ALPN and so no gRPC over TLS.
        return "right: answered; wrong: refused; this Bazel itself cannot speak gRPC over TLS"
    trial.check(trial.reader, outcome)
    expect(outcome.hits == ACTIONS, f"with the right authority: {outcome.log}")
    return f"right: {outcome.hits} hits; wrong: refused"


def _read_trusting(trial: Trial, server: servers.Server, trusted: Certified) -> Outcome:
    # Over HTTP Bazel 4.2.3 asks Java's list of authorities and not its own flag.
    store = f"--host_jvm_args=-Djavax.net.ssl.trustStore={trusted.java_authorities}"
    trial.reader.startup = [store]
    try:
        return trial.read(server)
    finally:
        trial.reader.startup = []


def tls(trial: Trial) -> str:
    """TLS: a client that knows the authority, and one that knows another."""
    trial.prefilled()
    right = certificates.make(trial.folder, "right")
    wrong = certificates.make(trial.folder, "wrong")
    options = (f"--tls_certificate={right.certificate}", f"--tls_key={right.key}")
    with trial.serve(*options) as server:
        if trial.backend == "buildgrid":
            return _tls_over_grpc(trial, server, right, wrong)
        unknown, known = (_read_trusting(trial, server, trusted) for trusted in (wrong, right))
    expect(known.hits == ACTIONS, f"with the right authority: {known.log}")
    expect(unknown.hits == 0, f"with the wrong authority: {unknown.counts}")
    noticed(unknown)
    return f"right: {known.hits} hits; wrong: {seen(unknown)}"
