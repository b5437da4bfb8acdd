#!/bin/sh
''':'
# Bazel's start-up script for a py_binary is Python behind this line. To a shell it is this script,
# which starts the packaged interpreter on the file; to Python all of this is one string. So no Python
# of the host is needed.
self=$0
case $self in
    /*) ;;
    *) self=$PWD/$self ;;
esac
if [ -d "$self.runfiles" ]; then
    runfiles=$self.runfiles
else
    case $self in
        *.runfiles/*) runfiles=${self%.runfiles/*}.runfiles ;;
        *) runfiles=${RUNFILES_DIR:?no runfiles directory beside $self} ;;
    esac
fi
# The caller's Python variables are not the program's.
unset PYTHONPATH PYTHONHOME
exec "$runfiles/%{repository}/python" "$self" "$@"
'''
