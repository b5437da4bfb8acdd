#!/bin/sh
# Starts the packaged CPython through the packaged loader, so that no library of the host is mapped,
# with an environment that does not depend on who calls.
here=${0%/*}
runtime=$here/runtime
case $runtime in
    /*) ;;
    *) runtime=$PWD/$runtime ;;
esac
if [ ! -d "$runtime" ]; then
    # Bazel gives a remote action a folder of its runfiles at the folder's place in the workspace instead (7.7.1 too).
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

# -s: no user site; below the runtime there are no site-packages either (before 3.10: -S). -B: write no
# bytecode into an input. -P: the script's own folder is not importable, so an undeclared neighbour is not
# either. Not -I: it would ignore PYTHONHASHSEED.
set -- "$runtime/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$runtime/lib" \
    --argv0 "$0" "$runtime/bin/python%{version}" -s %{no_site} -B %{safe_path} "$@"

if [ -n "${BUILD_WORKSPACE_DIRECTORY:-}" ] || [ -n "${REPOSITORY_RULE:-}" ]; then
    # `bazel run` and fetching: a person's own proxy, home and pip settings count; only what would
    # change the interpreter does not.
    unset LD_PRELOAD LD_LIBRARY_PATH
    unset PYTHONASYNCIODEBUG PYTHONBREAKPOINT PYTHONCASEOK PYTHONCOERCECLOCALE PYTHONDEBUG PYTHONDEVMODE \
        PYTHONDONTWRITEBYTECODE PYTHONFAULTHANDLER PYTHONINSPECT PYTHONIOENCODING PYTHONMALLOC \
        PYTHONNODEBUGRANGES PYTHONOPTIMIZE PYTHONPLATLIBDIR PYTHONPROFILEIMPORTTIME PYTHONPYCACHEPREFIX \
        PYTHONSAFEPATH PYTHONSTARTUP PYTHONTRACEMALLOC PYTHONUSERBASE PYTHONUTF8 PYTHONVERBOSE PYTHONWARNINGS
    PYTHONHOME=$runtime PYTHONHASHSEED=0 TF_CPP_MIN_LOG_LEVEL=2 TF_ENABLE_ONEDNN_OPTS=0
    export PYTHONHOME PYTHONHASHSEED TF_CPP_MIN_LOG_LEVEL TF_ENABLE_ONEDNN_OPTS
    exec "$@"
fi

%{audit_commands}# In the sandbox of an action the program is started by confine.py, so that it can read its inputs and nothing
# else. Bazel's start-up script runs first and sets PYTHONPATH for the program; it needs /bin/sh to come back here.
# A test may need the machine's programs.
case ${TEST_SRCDIR:+test}:${PYTHONPATH:+$PWD} in
    :*/linux-sandbox/*/execroot/*)
        set -- "$runtime/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$runtime/lib" \
            "$runtime/bin/python%{version}" -s -S -B "$runtime/confine.py" "$@"
        ;;
esac

# C is the one locale that the C library has built in; any other is read from the host's files, so Python
# is told by itself that text is UTF-8. UTC0 is a time zone that needs no file either. Nothing can be made
# or found below /dev/null, even by root. oneDNN chooses its kernels by the CPU model, and its results
# differ in the last bits. Bazel's variables for runfiles and tests pass: ${x+"y"} is nothing when x is
# unset.
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
