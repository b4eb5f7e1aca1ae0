"""The native module lives in one process with Python's own OpenSSL."""

import subprocess
import sys
from pathlib import Path

import pytest

BUILT = Path(__file__).resolve().parent.parent / "build" / "dev" / "python"

# Each order in which a program may load them. hashlib walks OpenSSL's tables when it is imported.
ORDERS = (
    "native(); import hashlib, ssl; hashlib.sha3_256(b'x'); ssl.create_default_context()",
    "import hashlib, ssl; native(); ssl.create_default_context()",
    "native(); import pyarrow.parquet, hashlib, ssl; ssl.create_default_context()",
    "import pyarrow.parquet; native(); import hashlib, ssl; ssl.create_default_context()",
)


@pytest.mark.skipif(not any(BUILT.glob("mainstem/_core*.so")), reason="the native module is not built")
@pytest.mark.parametrize("order", ORDERS)
def test_the_native_module_and_openssl_load_in_any_order(order: str) -> None:
    path = f"import sys; sys.path.insert(0, {str(BUILT)!r})"
    code = f"{path}; from mainstem._engine import native; {order}; print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
