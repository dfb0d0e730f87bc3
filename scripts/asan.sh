#!/bin/bash
# The compiled modules once more under AddressSanitizer and UndefinedBehaviorSanitizer: the loops without bounds checks
# (docs/decisions/0008-one-module-for-the-tracker.md) must not touch foreign memory, whatever the capture says.
#
#     scripts/asan.sh [FOLDER]      PYTHON: an interpreter with the extras test and dev.  FOLDER is kept, and used again.
#
# Builds in a copy of this checkout.  Where the compiler has no sanitizer, says so and ends well.

set -u -e -o pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-python}")
[[ $python == /* ]] || python=$PWD/$python
if [ $# -gt 0 ]; then
    work=$1 && mkdir -p "$work"
else
    work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
fi
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
preload=
for library in libasan.so libubsan.so; do
    found=$(${CC:-cc} -print-file-name=$library) || found=
    [ -f "$found" ] || { echo "skipped: ${CC:-cc} has no $library" && exit 0; }
    preload=${preload:+$preload:}$found
done

tar -c -C "$root" --exclude='*.so' --exclude=.git --exclude=.venv --exclude=.mypy_cache . | tar -x -C "$work"
cd "$work"
TCPTRACE_PY_REQUIRE_COMPILED=1 TCPTRACE_PY_CFLAGS="-O1 -g1 -fno-omit-frame-pointer $sanitize" LDFLAGS="$sanitize" \
    "$python" setup.py -q build_ext --inplace 2>&1 | tail -20
ls tcptrace_py/tracker/_joined.*.so >/dev/null # or all would pass, interpreted
report=$work/report # to a file: a test that listens to standard error would keep it for itself
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$report UBSAN_OPTIONS=print_stacktrace=1:log_path=$report
export PYTHONMALLOC=malloc PYTHONPATH=$work TCPTRACE_PY_EXPECT=compiled TCPTRACE_PY_MUTANTS=${TCPTRACE_PY_MUTANTS:-200}
rm -f "$report".*
LD_PRELOAD=$preload "$python" -P -m pytest -q -n auto --dist loadfile -p no:cacheprovider tests/fuzz tests/robustness \
    --ignore=tests/robustness/hostile --ignore=tests/robustness/test_floods.py \
    --ignore=tests/robustness/test_batch_stopped.py --ignore=tests/robustness/test_batch_many.py || # these look at memory, or start processes of their own
    { cat "$report".* 2>/dev/null; exit 1; }
[ -z "$(ls "$report".* 2>/dev/null)" ] || { cat "$report".* && exit 1; }
