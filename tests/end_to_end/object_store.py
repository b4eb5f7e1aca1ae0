"""An S3 server on this machine (moto), which can kill a client in the middle of what it asks for."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from pyarrow import fs
from werkzeug.serving import make_server

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
BUCKET = "bucket"


@dataclass
class Kill:
    """Of a process, at the `number`-th request that fits: before it is looked at, or done and not answered."""

    method: str  # a pattern, as the path is
    path: str
    number: int
    done_first: bool
    copies: bool | None = False  # whether it is a copy inside the store; None: whether or not
    seen: int = 0
    process: int | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def fits(self, environ: dict[str, Any]) -> bool:
        is_copy = "HTTP_X_AMZ_COPY_SOURCE" in environ
        if not re.fullmatch(self.method, environ["REQUEST_METHOD"]) or self.copies not in (None, is_copy):
            return False
        if not re.search(self.path, environ["PATH_INFO"]):
            return False
        self.seen += 1
        return self.seen == self.number

    def now(self) -> None:
        if self.process is not None:
            os.kill(self.process, signal.SIGKILL)
        self.done.set()


class ObjectStore:
    """A bucket behind http://127.0.0.1:port. What is in it can be asked without the engine."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.kill: Kill | None = None
        self.refuse: str | None = None  # a pattern of "METHOD path" that is answered with 403
        self.requests: list[str] = []
        self.client = fs.S3FileSystem(
            endpoint_override=f"127.0.0.1:{self._server.port}",
            scheme="http",
            region="us-east-1",
            access_key="key",
            secret_key="secret",
            allow_bucket_creation=True,
        )
        self.client.create_dir(BUCKET)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client of it."""
        return {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}"}

    def files(self, below: str) -> dict[str, int]:
        """Sizes by key, below a key."""
        selector = fs.FileSelector(f"{BUCKET}/{below}", recursive=True, allow_not_found=True)
        found = self.client.get_file_info(selector)
        return {each.path.removeprefix(f"{BUCKET}/"): each.size for each in found if each.type == fs.FileType.File}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            kill = self.kill if self.kill is not None and self.kill.fits(environ) else None
            request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
            self.requests.append(request)
            refused = self.refuse is not None and re.search(self.refuse, request)
        if refused:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        if kill is not None and not kill.done_first:
            kill.now()
            start_response("503 Killed", [("Content-Length", "0")])
            return [b""]
        answer: Iterable[bytes] = self._app(environ, start_response)
        if kill is not None:
            answer = [b"".join(answer)]
            kill.now()
        return answer
