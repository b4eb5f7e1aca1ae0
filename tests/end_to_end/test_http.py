"""Files of HTTP servers: slow, lying, busy, redirecting ones."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest
from inputs import encoded, photo, sound, tone

import mainstem as ms
from mainstem import col

PICTURE = encoded(photo(40, 30), "PNG")
SOUND = sound(tone(0.1), 48_000, "FLAC")


class Answers(BaseHTTPRequestHandler):
    """Answers by the path's first word."""

    seen: ClassVar[Counter[str]] = Counter()
    released = threading.Event()
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def send(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.seen[self.path] += 1
        word = self.path.strip("/").split("/")[0]
        if word == "picture":
            self.send(PICTURE)
        elif word == "sound":
            self.send(SOUND)
        elif word == "missing":
            self.send(b"no", 404)
        elif word == "busy":
            if self.seen[self.path] <= 2:
                self.send(b"later", 503, **{"Retry-After": "0"})
            else:
                self.send(PICTURE)
        elif word == "always-busy":
            self.send(b"never", 503, **{"Retry-After": "0"})
        elif word == "short":
            self.send(PICTURE[:50], length=len(PICTURE))
            self.close_connection = True
        elif word == "huge":
            self.send(b"x" * 1000, length=1 << 40)
            self.close_connection = True
        elif word == "stall":
            self.send(PICTURE[:50], length=len(PICTURE))
            self.wfile.flush()
            self.released.wait(30)
        elif word == "redirect":
            self.send(b"", 302, Location="/picture/redirected")
        elif word == "loop":
            self.send(b"", 302, Location="/loop/again")
        elif word == "to-file":
            self.send(b"", 302, Location="file:///etc/passwd")
        elif word == "to-metadata":
            self.send(b"", 302, Location="http://169.254.169.254/latest/meta-data")
        else:
            self.send(b"?", 400)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    ThreadingHTTPServer.request_queue_size = 128
    http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    Answers.released.set()
    http.shutdown()
    http.server_close()


@pytest.fixture(autouse=True)
def allowed() -> None:
    ms.config.set("fetch.allow_private_addresses", True)


def decoded(urls: list[str], on_error: str = "raise") -> ms.Rows:
    frame = ms.read_files(urls).with_column("image", col("file").image.decode(on_error=on_error))
    return frame.select("file", "image").collect()


def test_many_pictures_come_in_order(profile: str, server: str) -> None:
    ms.config.set("fetch.allow_private_addresses", True)
    urls = [f"{server}/picture/{index}.png" for index in range(100)]
    found = decoded(urls)
    assert [row.file.uri for row in found] == urls
    assert all(row.image.width == 40 for row in found)


def test_sound_and_documents_are_fetched_before_they_are_opened(server: str) -> None:
    frame = ms.read_files(f"{server}/sound/a.flac")
    found = frame.select(a=col("file").audio.decode(), d=col("file").audio.duration()).collect()
    assert found[0].d == pytest.approx(0.1)
    assert np.asarray(found[0].a.data).shape == (4800, 2)


def test_private_addresses_are_refused_unless_allowed(server: str) -> None:
    ms.config.set("fetch.allow_private_addresses", False)
    before = sum(Answers.seen.values())
    with pytest.raises(ms.MainstemError, match=r"(?i)address.*allow_private_addresses"):
        decoded([f"{server}/picture/private.png"])
    with pytest.raises(ms.MainstemError, match=r"(?i)address"):
        decoded([f"{server}/picture/private.png".replace("127.0.0.1", "localhost")])
    assert sum(Answers.seen.values()) == before


def test_redirects_are_followed_within_limits(server: str) -> None:
    assert decoded([f"{server}/redirect/a.png"])[0].image.width == 40
    with pytest.raises(ms.MainstemError, match=r"(?i)redirect.*|/loop/"):
        decoded([f"{server}/loop/a.png"])
    with pytest.raises(ms.MainstemError, match="to-file"):
        decoded([f"{server}/to-file/a.png"])


def test_a_busy_server_is_asked_again(server: str) -> None:
    assert decoded([f"{server}/busy/a.png"])[0].image.width == 40
    assert Answers.seen["/busy/a.png"] == 3


def test_a_server_that_stays_busy_ends_the_job_by_name(server: str) -> None:
    with pytest.raises(ms.MainstemError, match=r"always-busy.*503|503.*always-busy"):
        decoded([f"{server}/always-busy/a.png"])


def test_a_missing_page_is_named(server: str) -> None:
    with pytest.raises(ms.MainstemError, match=r"missing/a\.png.*404|404.*missing/a\.png"):
        decoded([f"{server}/missing/a.png"])


@pytest.mark.parametrize("word", ["short", "huge"])
def test_a_server_that_lies_about_the_length_is_named(server: str, word: str) -> None:
    ms.config.set("fetch.max_attempts", 2)
    with pytest.raises(ms.MainstemError, match=word):
        decoded([f"{server}/{word}/a.png"])


def test_a_server_that_stalls_is_left(server: str) -> None:
    ms.config.set("fetch.stall_timeout", 1)
    ms.config.set("fetch.max_attempts", 1)
    started = time.monotonic()
    with pytest.raises(ms.MainstemError, match="stall"):
        decoded([f"{server}/stall/a.png"])
    assert time.monotonic() - started < 15


def test_nobody_listens(server: str) -> None:
    ms.config.set("fetch.max_attempts", 2)
    with pytest.raises(ms.MainstemError, match=r"127\.0\.0\.1:1/"):
        decoded(["http://127.0.0.1:1/a.png"])


def test_a_name_that_does_not_exist() -> None:
    ms.config.set("fetch.max_attempts", 1)
    with pytest.raises(ms.MainstemError, match=r"nowhere\.invalid"):
        decoded(["http://nowhere.invalid/a.png"])


def test_good_ones_pass_beside_bad_ones(server: str) -> None:
    ms.config.set("fetch.max_attempts", 1)
    urls = [f"{server}/picture/1.png", f"{server}/sound/2.png", f"{server}/picture/3.png"]
    found = decoded(urls, "dead_letter")
    assert [row.file.uri for row in found] == [urls[0], urls[2]]
    assert found.job is not None
    assert "sound/2.png" in str(found.job.dead_letters().collect()[0].as_dict())


def test_a_table_that_is_not_there_is_named(server: str) -> None:
    with pytest.raises(ms.MainstemError, match="missing"):
        ms.read_parquet(f"{server}/missing/t.parquet").collect()


def test_a_link_local_address_behind_a_redirect_is_not_asked(server: str) -> None:
    ms.config.set("fetch.connect_timeout", 1)
    ms.config.set("fetch.max_attempts", 1)
    with pytest.raises(ms.MainstemError, match=r"to-metadata|169"):
        decoded([f"{server}/to-metadata/a.png"])
