"""The table of rooms holds, and the check that says so is able to fail."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("check_walls", ROOT / "scripts" / "check_walls.py")
assert _spec and _spec.loader
check_walls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_walls)


def test_every_room_includes_only_what_its_line_allows() -> None:
    assert check_walls.check(ROOT) == []


def test_the_source_tree_is_really_read() -> None:
    headers = list((ROOT / "src" / "mainstem").rglob("*.h"))
    assert len(headers) > 10


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("operators/project.cc", '#include "mainstem/platform/clock.h"', "operators may not include platform"),
        ("base/error.h", '#include "mainstem/data/value.h"', "base may not include data"),
        ("runtime/task.cc", '#include "mainstem/media/image/jpeg.h"', "runtime may not include media"),
        ("media/image/jpeg_test.cc", '#include "mainstem/functions/registry.h"', "media may not include functions"),
        ("services/host/main.cc", '#  include "mainstem/runtime/task.h"', "services may not include runtime"),
        ("media/image/jpeg.cc", "#include <mutex>", "media may not use <mutex>"),
        ("operators/call.h", "#include <atomic>", "operators may not use <atomic>"),
        ("connectors/files/source.cc", "#include <thread>", "connectors may not use <thread>"),
        ("helpers/text.h", "#include <string>", "is in no room"),
        ("loose.h", "#include <string>", "is in no room"),
        ("data/CMakeLists.txt", "mainstem_room(data DEPENDS base platform LIBRARIES fmt::fmt)", "depend on platform"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    planted = tmp_path / "src" / "mainstem" / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"#pragma once\n{line}\n")
    problems = check_walls.check(tmp_path)
    assert len(problems) == 1 and complaint in problems[0]
    assert check_walls.main([str(tmp_path)]) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("runtime/task.cc", "#include <mutex>"),
        ("platform/threads.h", "#include <thread>"),
        ("services/router.h", "#include <condition_variable>"),
        ("connectors/fetch/window.cc", "#include <atomic>"),
        ("plan/binder.cc", '#include "mainstem/functions/registry.h"'),
        ("media/image/jpeg.cc", '#include "mainstem/media/image/resize.h"'),
        ("media/document/reader_test.cc", "#include <thread>"),
        ("data/value.cc", '// #include "mainstem/platform/clock.h"'),
    ],
)
def test_what_the_table_allows_passes(tmp_path: Path, file: str, line: str) -> None:
    planted = tmp_path / "src" / "mainstem" / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"{line}\n")
    assert check_walls.check(tmp_path) == []


def test_a_neighbour_must_be_included_by_its_full_name(tmp_path: Path) -> None:
    room = tmp_path / "src" / "mainstem" / "data"
    room.mkdir(parents=True)
    (room / "value.h").write_text("#pragma once\n")
    (room / "value.cc").write_text('#include "value.h"\n')
    assert len(check_walls.check(tmp_path)) == 1
