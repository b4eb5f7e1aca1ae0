"""The command ``mainstem``: run, explain, functions, models, journal, jobs, checkpoints, stop, version."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mainstem
from mainstem.errors import MainstemError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
        return status
    except MainstemError as error:
        print(f"mainstem: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader went away, as `| head` does. Nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("mainstem: cancelled", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mainstem", description="Pipelines over files, media, models and Python.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a plan (JSON) or a script (Python)")
    run.add_argument("file", type=Path)
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script finds in sys.argv")
    run.add_argument("--rows", type=int, default=20, help="rows of the result to print (default 20)")
    run.add_argument("--report", action="store_true", help="print the job's report to the error stream")
    run.add_argument("--progress", action="store_true", help="show progress though this is no terminal")
    run.set_defaults(command=_run)

    explain = commands.add_parser("explain", help="show how a plan would run")
    explain.add_argument("file", type=Path)
    explain.add_argument("--mode", choices=("logical", "optimized", "physical", "all"), default="all")
    explain.set_defaults(command=_explain)

    functions = commands.add_parser("functions", help="list the functions, or describe one")
    functions.add_argument("name", nargs="?")
    functions.add_argument("--json", action="store_true", help="the registry as JSON")
    functions.set_defaults(command=_functions)

    models = commands.add_parser("models", help="list the models that are known by name")
    models.set_defaults(command=_models)

    journal = commands.add_parser("journal", help="look at a journal of finished replies, or make it smaller")
    steps = journal.add_subparsers(required=True, metavar="STEP")
    stats = steps.add_parser("stats", help="how many replies it holds, and their bytes")
    stats.add_argument("folder")
    stats.set_defaults(command=_journal_stats)
    collect = steps.add_parser("gc", help="remove the oldest replies and give their space back")
    collect.add_argument("folder")
    collect.add_argument("--max-bytes", help="keep at most so much: 10GB")
    collect.add_argument("--max-age", help="keep what is younger: 30d")
    collect.set_defaults(command=_journal_collect)

    jobs = commands.add_parser("jobs", help="list the jobs of a checkpoint folder and their checkpoints")
    jobs.add_argument("folder")
    jobs.add_argument("--verify", action="store_true", help="read and check every file")
    jobs.add_argument("--json", action="store_true")
    jobs.set_defaults(command=_jobs)

    checkpoints = commands.add_parser("checkpoints", help="explain a checkpoint")
    checkpoint_steps = checkpoints.add_subparsers(required=True, metavar="STEP")
    show = checkpoint_steps.add_parser("show", help="its regions, offsets, in-flight data and files")
    show.add_argument("path", help="FOLDER/JOB/checkpoint-7 or FOLDER/JOB/savepoint-7")
    show.add_argument("--json", action="store_true")
    show.set_defaults(command=_show_checkpoint)

    stop = commands.add_parser("stop", help="ask a running job to take a savepoint and to end")
    stop.add_argument("folder", help="its checkpoint folder")
    stop.add_argument("job", help="its job_name")
    stop.add_argument("--timeout", type=float, default=600, help="seconds to wait for the end (default 600)")
    stop.set_defaults(command=_stop)

    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=_version)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.progress:
        mainstem.config.set("progress", True)
    if not options.file.is_file():
        return _fail(f"there is no file {options.file}")
    if options.file.suffix == ".json":
        return _run_plan(options)
    sys.argv = [str(options.file), *options.arguments]
    sys.path.insert(0, str(options.file.resolve().parent))
    runpy.run_path(str(options.file), run_name="__main__")
    return 0


def _run_plan(options: argparse.Namespace) -> int:
    from mainstem.job import start_written

    if options.arguments:
        return _fail("a plan takes no arguments; options stand before the file: mainstem run --report plan.json")
    text, document = _plan(options.file)
    job = start_written(text, job_name=options.file.stem)
    if document["nodes"][-1]["op"] == "write":
        job.wait()
    else:
        import pyarrow as pa

        from mainstem.results import Rows

        kept: list[Any] = []
        count = 0
        for batch in job.batches():
            if not kept or sum(b.num_rows for b in kept) < options.rows:
                kept.append(batch)
            count += batch.num_rows
        if kept:
            print(Rows(pa.Table.from_batches(kept).slice(0, options.rows)))
        print(f"{count:,} rows", file=sys.stderr)
    if options.report:
        print(job.report(), file=sys.stderr)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from mainstem._engine import engine
    from mainstem.errors import translated

    if not options.file.is_file():
        return _fail(f"there is no file {options.file}")
    text, _ = _plan(options.file)
    with translated(planning=True):
        print(engine().explain(text, {}, options.mode))
    return 0


def _plan(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
        document = json.loads(text)
        if not isinstance(document["nodes"][-1]["op"], str):
            raise TypeError("the last node has no op")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise mainstem.PlanError(f"{path} is not a plan: {error}") from None
    return text, document


def _functions(options: argparse.Namespace) -> int:
    from mainstem import registry
    from mainstem._engine import native

    if options.json:
        print(native().functions_json())
        return 0
    known = registry.functions()
    if options.name is None:
        width = max((len(name) for name in known), default=0)
        for name, function in known.items():
            print(f"{name:{width}}  {function.kind:9}  {_first_sentence(function.doc)}".rstrip())
        return 0
    try:
        function = registry.find(options.name)
    except AttributeError as error:
        return _fail(str(error))
    print(f"{function.usage()}\n\n{function.docstring()}")
    return 0


def _first_sentence(doc: str) -> str:
    return doc.split(". ")[0].splitlines()[0].rstrip(".") if doc else ""


def _models(_: argparse.Namespace) -> int:
    from mainstem import models

    for entry in models.list():
        state = "installed" if entry["installed"] else f"needs pip install {' '.join(entry['packages'])}"
        print(f"{entry['name']}  ({', '.join(entry['tasks'])}; {entry['licence']}; {state})\n    {entry['doc']}")
    return 0


def _jobs(options: argparse.Namespace) -> int:
    from mainstem import checkpoint

    found = checkpoint.jobs(options.folder, verify=options.verify)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        print(f"no jobs in {options.folder}")
    for job in found:
        state = f"runs (process {job['process']})" if job["running"] else "does not run"
        print(f"{job['name']}: {state}, {job['runs']} runs, {_bytes(job['bytes'])}")
        for stored in job["checkpoints"]:
            name = Path(stored["path"]).name
            if "damage" in stored:
                print(f"  {name:<16} DAMAGED: {stored['damage']}")
                continue
            taken = datetime.datetime.fromtimestamp(stored["started_ns"] / 1e9).isoformat(" ", "seconds")
            print(
                f"  {name:<16} {taken}  took {stored['duration_s']:.3f} s  {_bytes(stored['bytes'])}  "
                f"{stored['counters'].get('rows_written', 0):,} rows written"
                f"{'  unaligned' if stored['unaligned'] else ''}{'  final' if stored['kind'] == 'final' else ''}"
            )
    return 0


def _show_checkpoint(options: argparse.Namespace) -> int:
    from mainstem import checkpoint

    shown = checkpoint.show(options.path)
    if options.json:
        print(json.dumps(shown, indent=2))
        return 0
    print(f"{shown['kind']} {shown['checkpoint']}, {'unaligned' if shown['unaligned'] else 'aligned'}")
    if "damage" in shown:
        print(f"DAMAGED: {shown['damage']}")
    print(f"took {shown['duration_s']:.3f} s, {_bytes(shown['snapshot_bytes'])} of snapshots")
    print(
        f"in flight: {shown['in_flight_batches']} batches, {_bytes(shown['in_flight_bytes'])}, {shown['calls']} calls; "
        f"{shown['pending_commits']} commits pending"
    )
    for name, value in shown["counters"].items():
        print(f"{name.replace('_', ' ')}: {value:,}")
    print("subtasks (task.lane, barrier, bytes, in flight, file):")
    for subtask in shown["subtasks"]:
        print(
            f"  {subtask['task']}.{subtask['lane']}  {subtask['taken_at']}  {_bytes(subtask['bytes'])}  "
            f"{_bytes(subtask['in_flight_bytes'])}, {subtask['calls']} calls  {subtask['file']}"
        )
    for task, source in shown["sources"].items():
        text = json.dumps(source)
        print(f"source of task {task}: {text if len(text) <= 400 else text[:400] + ' …'}")
    if shown["fallen_back"]:
        print(f"with the previous snapshot of: {', '.join(shown['fallen_back'])}")
    print("job graph:")
    print("\n".join("  " + line for line in shown["graph"].splitlines()))
    return 0


def _stop(options: argparse.Namespace) -> int:
    import time

    from mainstem import checkpoint

    checkpoint.ask_to_stop(options.folder, options.job)
    deadline = time.monotonic() + options.timeout
    while time.monotonic() < deadline:
        job = next((job for job in checkpoint.jobs(options.folder) if job["name"] == options.job), None)
        if job is None or not job["running"]:
            newest = next((c for c in (job or {"checkpoints": []})["checkpoints"] if "savepoint" in c["path"]), None)
            print(newest["path"] if newest else "the job has ended")
            return 0
        time.sleep(0.1)
    return _fail(f"job {options.job} still runs after {options.timeout:g} s")


def _bytes(count: int) -> str:
    from mainstem.display import bytes_text

    return bytes_text(count)


def _journal_stats(options: argparse.Namespace) -> int:
    from mainstem.display import bytes_text
    from mainstem.journal import Journal

    stats = Journal(options.folder).stats()
    print(f"{stats.entries:,} replies, {bytes_text(stats.bytes)}")
    bounds = [f"at most {bytes_text(stats.max_bytes)}"] if stats.max_bytes is not None else []
    if stats.max_age_s is not None:
        bounds.append(f"no older than {datetime.timedelta(seconds=stats.max_age_s)}")
    if bounds:
        print(f"kept by jobs to {', '.join(bounds)}")
    if stats.trimmed_at_s is not None:
        when = datetime.datetime.fromtimestamp(stats.trimmed_at_s).astimezone().isoformat(" ", "seconds")
        print(f"{stats.trimmed_entries:,} replies removed for that at {when}")
    return 0


def _journal_collect(options: argparse.Namespace) -> int:
    from mainstem.display import bytes_text
    from mainstem.journal import Journal

    if options.max_bytes is None and options.max_age is None:
        return _fail("say what to keep: --max-bytes 10GB, --max-age 30d, or both")
    done = Journal(options.folder).collect(max_bytes=options.max_bytes, max_age=options.max_age)
    print(
        f"{done.removed:,} replies removed, {done.entries:,} kept; "
        f"{bytes_text(done.bytes_before)} before, {bytes_text(done.bytes)} now"
    )
    return 0


def _version(_: argparse.Namespace) -> int:
    print(mainstem.__version__)
    return 0


def _fail(message: str) -> int:
    print(f"mainstem: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
