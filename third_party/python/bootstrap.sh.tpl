#!/bin/sh
# Starts a Python program on the packaged interpreter. `py_binary` (defs.bzl) writes this script for each program and
# replaces the words between per cent signs.
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
unset PYTHONHOME
PYTHONPATH=
imports=%imports%
IFS=:
for import in $imports; do
    PYTHONPATH=$PYTHONPATH${PYTHONPATH:+:}$runfiles/$import
done
unset IFS
RUNFILES_DIR=$runfiles
export PYTHONPATH RUNFILES_DIR
exec "$runfiles/%python_binary%" "$runfiles/%main%" "$@"
