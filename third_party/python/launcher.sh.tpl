#!/bin/sh
# Starts the packaged CPython through the packaged loader, so that no library of the host is loaded,
# with an environment that does not depend on the caller.
here=${0%/*}
runtime=$here/runtime
case $runtime in
    /*) ;;
    *) runtime=$PWD/$runtime ;;
esac
if [ ! -d "$runtime" ]; then
    # In a remote action, Bazel (even 7.7.1) puts a folder of the runfiles at its path in the workspace instead.
    runtime=$PWD/external/${here##*/}/runtime
    path=
    IFS=:
    for entry in ${PYTHONPATH:-}; do
        [ -d "$entry" ] || entry=$PWD/external/${entry#*.runfiles/}
        path=$path${path:+:}$entry
    done
    unset IFS
    PYTHONPATH=$path
fi

# -s: no user site; the runtime has no site-packages either (before 3.10: -S). -B: write no bytecode into
# inputs. -P: the script's own folder is not importable, and so neither are undeclared modules in it. Not -I,
# which ignores PYTHONHASHSEED.
set -- "$runtime/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$runtime/lib" \
    --argv0 "$0" "$runtime/bin/python%{version}" -s %{no_site} -B %{safe_path} "$@"

if [ -n "${BUILD_WORKSPACE_DIRECTORY:-}" ] || [ -n "${REPOSITORY_RULE:-}" ]; then
    # `bazel run` and fetching: keep the person's proxy, home and pip settings; drop only variables
    # that change the interpreter.
    unset LD_PRELOAD LD_LIBRARY_PATH
    unset PYTHONASYNCIODEBUG PYTHONBREAKPOINT PYTHONCASEOK PYTHONCOERCECLOCALE PYTHONDEBUG PYTHONDEVMODE \
        PYTHONDONTWRITEBYTECODE PYTHONFAULTHANDLER PYTHONINSPECT PYTHONIOENCODING PYTHONMALLOC \
        PYTHONNODEBUGRANGES PYTHONOPTIMIZE PYTHONPLATLIBDIR PYTHONPROFILEIMPORTTIME PYTHONPYCACHEPREFIX \
        PYTHONSAFEPATH PYTHONSTARTUP PYTHONTRACEMALLOC PYTHONUSERBASE PYTHONUTF8 PYTHONVERBOSE PYTHONWARNINGS
    PYTHONHOME=$runtime PYTHONHASHSEED=0 TF_CPP_MIN_LOG_LEVEL=2 TF_ENABLE_ONEDNN_OPTS=0
    export PYTHONHOME PYTHONHASHSEED TF_CPP_MIN_LOG_LEVEL TF_ENABLE_ONEDNN_OPTS
    exec "$@"
fi

%{audit_commands}# In the sandbox of an action, confine.py starts the program, so that it can read only its inputs. Outside a sandbox,
# in the execution root itself, these are not apart from the rest: the action says so, or fails where
# confinement.bzl asks for that. A remote worker has other folders. Tests may need the machine's programs.
case ${TEST_SRCDIR:+test}:$PWD in
    :*/linux-sandbox/*/execroot/* | :*/processwrapper-sandbox/*/execroot/*)
        set -- "$runtime/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$runtime/lib" \
            "$runtime/bin/python%{version}" -s -S -B "$runtime/confine.py" "$@"
        ;;
    :*/execroot/*)
        unconfined="this action runs outside Bazel's sandbox, so its program can read files that are not its inputs; \
build with --spawn_strategy=linux-sandbox."
        for required in "${PWD%/execroot/*}"/external/*reproducible_tflite_confinement/required; do
            if [ -e "$required" ]; then
                echo "ERROR: $unconfined" >&2
                exit 1
            fi
        done
        echo "WARNING: $unconfined" >&2
        ;;
esac

# C is the only locale built into the C library; others come from the host's files. So UTF-8 is set for
# Python separately. The time zone UTC0 needs no file either. Nothing can be created or found below
# /dev/null, even by root. oneDNN chooses its kernels by the CPU model, and its results differ in the last
# bits. Bazel's variables for runfiles and tests are passed on: ${x+"y"} is empty if x is unset.
%{audit_variables}exec /usr/bin/env -i \
    HOME=/dev/null \
    KERAS_HOME=/dev/null \
    LC_ALL=C \
    OPENSSL_CONF=/dev/null \
    PATH=/dev/null \
    PYTHONCOERCECLOCALE=0 \
    PYTHONHASHSEED=0 \
    PYTHONHOME="$runtime" \
    PYTHONPATH="${PYTHONPATH:-}" \
    PYTHONUTF8=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    TF_ENABLE_ONEDNN_OPTS=0 \
    TMPDIR="${TEST_TMPDIR:-/tmp}" \
    TZ=UTC0 \
    ${RUNFILES_DIR+"RUNFILES_DIR=$RUNFILES_DIR"} \
    ${TEST_SRCDIR+"TEST_SRCDIR=$TEST_SRCDIR"} \
    ${TEST_TMPDIR+"TEST_TMPDIR=$TEST_TMPDIR"} \
    ${TEST_TARGET+"TEST_TARGET=$TEST_TARGET"} \
    ${TEST_WORKSPACE+"TEST_WORKSPACE=$TEST_WORKSPACE"} \
    ${TEST_UNDECLARED_OUTPUTS_DIR+"TEST_UNDECLARED_OUTPUTS_DIR=$TEST_UNDECLARED_OUTPUTS_DIR"} \
    ${TEST_TOTAL_SHARDS+"TEST_TOTAL_SHARDS=$TEST_TOTAL_SHARDS"} \
    ${TEST_SHARD_INDEX+"TEST_SHARD_INDEX=$TEST_SHARD_INDEX"} \
    ${TEST_SHARD_STATUS_FILE+"TEST_SHARD_STATUS_FILE=$TEST_SHARD_STATUS_FILE"} \
    ${TESTBRIDGE_TEST_ONLY+"TESTBRIDGE_TEST_ONLY=$TESTBRIDGE_TEST_ONLY"} \
    ${XML_OUTPUT_FILE+"XML_OUTPUT_FILE=$XML_OUTPUT_FILE"} \
    "$@"
