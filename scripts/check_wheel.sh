#!/bin/sh
# check_wheel.sh: builds the wheel of what is committed, installs it into an environment that holds nothing else, and
# uses it there: the command, files, pictures, documents, Python functions, Parquet. Everything lies in build/wheel-check.
set -eu
cd "$(dirname "$0")/.."
work="$PWD/build/wheel-check"
rm -rf "$work/source" "$work/objects" "$work/dist" "$work/empty" "$work/run"
mkdir -p "$work/source" "$work/run"
git archive HEAD | tar -x -C "$work/source"

# What pip would put into its own build environment, at a path that stays: so ccache knows the files again.
[ -x "$work/builder/bin/pip" ] || python3 -m venv "$work/builder"
python3 -c '
import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"]))' "$work/source/pyproject.toml" > "$work/requires.txt"
"$work/builder/bin/pip" install --quiet --disable-pip-version-check -r "$work/requires.txt"
PATH="$work/builder/bin:$PATH" "$work/builder/bin/pip" wheel --disable-pip-version-check --no-deps --no-build-isolation \
  -Cbuild-dir="$work/objects" -w "$work/dist" "$work/source"

python3 -m venv "$work/empty"
"$work/empty/bin/pip" install --quiet --disable-pip-version-check "$work"/dist/mainstem-*.whl
unset PYTHONPATH LD_LIBRARY_PATH
cd "$work/run"

site=$("$work/empty/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for binary in "$site"/mainstem/_core*.so "$site"/mainstem/bin/mainstem-host; do
  if readelf -d "$binary" | grep -E 'R(UN)?PATH' | grep -v '\[\$ORIGIN[^:]*\(:\$ORIGIN[^:]*\)*\]'; then
    echo "check_wheel: $binary looks for libraries outside of its environment" >&2
    exit 1
  fi
  if ldd "$binary" | grep 'not found'; then
    echo "check_wheel: $binary does not find its libraries" >&2
    exit 1
  fi
done

"$work/empty/bin/mainstem" version
"$work/empty/bin/mainstem" functions image.resize
cat > pipeline.py <<'PIPELINE'
import struct
import zlib
from pathlib import Path

import numpy as np

import mainstem as ms
from mainstem import col


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


red = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
red += chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 4) * 4)) + chunk(b"IEND", b"")
Path("red.png").write_bytes(red)
Path("page.pdf").write_bytes(
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [3 0 R] >>\n"
    b"endobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << /Font << /F1 "
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>\nendobj\n4 0 obj\n<< /Length 41 >>\nstream\n"
    b"BT /F1 18 Tf 20 100 Td (From a wheel) Tj ET\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
)


@ms.udf
def double(n: int) -> int:
    return 2 * n


picture = col("file").image.decode().image.resize(2, 2)
table = ms.from_dict({"file": [ms.File("red.png")], "n": [21]}).with_columns(twice=double(col("n")), picture=picture)
rows = table.collect()
assert rows[0]["twice"] == 42, rows
assert np.asarray(rows[0]["picture"]).tolist() == [[[255, 0, 0]] * 2] * 2, rows
table.select("n", "twice").write_parquet("out")
assert ms.read_parquet("out").count() == 1
page = ms.read_files("page.pdf").join_lateral(col("file").document.pages()).collect()[0]
assert "From a wheel" in page["text"], page
print("check_wheel: passed")
PIPELINE
"$work/empty/bin/python" pipeline.py
