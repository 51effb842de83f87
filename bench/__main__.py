"""`python -m bench`: run the measures on the subjects, interleaved and repeated, and report."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench import codecs, endurance, matrix, recording, report
from bench.certificate import make_certificate
from bench.measures import (
    ALWAYS,
    FULL,
    MATRIX,
    MEASURES,
    QUICK,
    Figures,
    LoadFailed,
    LoadProcess,
    Scale,
    load_process,
    upstream_process,
)
from bench.processes import StartFailed, StolenTime, raise_file_limit
from bench.subjects import Running, Subject, Target, builtin_subjects, parse_subject, running, version_seconds

_START_LIMIT = 60.0
_NOISY = 2.0  # percent


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _subject(text: str) -> Subject:
    try:
        return parse_subject(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what a proxy costs, against no proxy and against nginx, in one run. See bench/README.md.",
    )
    parser.add_argument(
        "--codecs", action="store_true", help="only what the dialects themselves cost, without sockets (< 60 s)"
    )
    parser.add_argument(
        "--matrix", action="store_true", help="only the sixteen directions side by side, plain HTTP (two minutes)"
    )
    parser.add_argument(
        "--recording", action="store_true", help="only what it costs to record, plain HTTP (four minutes)"
    )
    parser.add_argument(
        "--calls",
        type=int,
        metavar="N",
        help="only whether memory and store stay bounded over N calls (100000: 3 minutes)",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: small loads, one round, plain HTTP (< 30 s)")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="repeat everything N times, in a new order (default 5; quick 1)"
    )
    parser.add_argument(
        "--transport", choices=("plain", "tls", "both"), help="to the upstream (default both; quick plain)"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="only this built-in subject (can be repeated)")
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        type=_subject,
        metavar="NAME=COMMAND",
        help="measure this too; {port}, {upstream}, {upstream_port}, {scheme}, {ca} and {dir} are filled in",
    )
    names = [name for name in MEASURES if name not in ALWAYS]
    parser.add_argument("--measure", action="append", choices=names, help="only this measure (can be repeated)")
    parser.add_argument("--seconds", type=float, help="length of each saturating load (default 1; quick 0.3)")
    parser.add_argument("--out", type=Path, help="the JSON file (default bench/results/<time>.json)")
    return parser.parse_args()


def _chosen_subjects(arguments: argparse.Namespace) -> list[Subject]:
    builtin, missing = builtin_subjects()
    for line in missing:
        _say(line)
    if arguments.only is not None:
        unknown = set(arguments.only) - {subject.name for subject in builtin}
        if unknown:
            sys.exit(f"error: no built-in subject {', '.join(sorted(unknown))}")
        builtin = [subject for subject in builtin if subject.name in arguments.only]
    return [*builtin, *arguments.subject]


class Bench:
    """One run: rounds of measures over subjects, in a new order each time."""

    def __init__(self, subjects: list[Subject], measures: list[str], scale: Scale, load: LoadProcess) -> None:
        self.subjects = subjects
        self.measures = measures
        self.scale = scale
        self.load = load
        self.results = report.Results([subject.name for subject in subjects])

    def round(self, target: Target) -> None:
        """Start every subject, put each measure on each of them in turn, end them all."""
        with ExitStack() as stack:
            alive = [started for subject in self.subjects if (started := self._start(stack, subject, target))]
            for measure in self.measures:
                random.shuffle(alive)
                for subject in list(alive):
                    if not self._measure(measure, subject, target):
                        alive.remove(subject)

    def _start(self, stack: ExitStack, subject: Subject, target: Target) -> Running | None:
        try:
            return stack.enter_context(running(subject, target, _START_LIMIT))
        except StartFailed as error:
            self._failed(subject, target, "start", str(error))
            return None

    def _measure(self, name: str, subject: Running, target: Target) -> bool:
        _say(f"  {name:8} {subject.subject.name} ({report.transport(target)})")
        try:
            figures = MEASURES[name](subject, self.load, self.scale)
        except LoadFailed as error:
            self._failed(subject.subject, target, name, str(error))
            return name not in ALWAYS
        self.results.add(subject.subject.name, report.transport(target), figures)
        return True

    def _failed(self, subject: Subject, target: Target, measure: str, why: str) -> None:
        _say(f"  FAILED   {subject.name} ({report.transport(target)}) {measure}: {why}")
        self.results.fail(subject.name, report.transport(target), measure, why)

    def versions(self, rounds: int) -> None:
        """Time the `--version` of the subjects that have one."""
        for subject in self.subjects:
            for _ in range(rounds):
                if subject.version_command and (seconds := version_seconds(subject.version_command)) is not None:
                    figures: Figures = {"version_ms": seconds * 1e3}
                    self.results.add(subject.name, "plain", figures)


def _run_matrix(arguments: argparse.Namespace) -> None:
    builtin, missing = builtin_subjects()
    for line in missing:
        _say(line)
    scale = QUICK if arguments.quick else MATRIX
    if arguments.seconds:
        scale = msgspec.structs.replace(scale, seconds=arguments.seconds)
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    floor = [subject for subject in builtin if subject.name == "nginx"]
    stolen = StolenTime()
    with load_process() as load, upstream_process(None) as targets:
        results = matrix.run(floor, targets[0], load, scale, rounds, _say)
    print(matrix.table(results))
    settings = {"matrix": True, "rounds": rounds, "scale": scale, "stolen_percent": stolen.percent()}
    _say(f"written to {report.save(results, arguments.out, settings)}")
    sys.exit(1 if results.failures else 0)


def _run_recording(arguments: argparse.Namespace) -> None:
    loads = recording.QUICK if arguments.quick else recording.FULL
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    stolen = StolenTime()
    with load_process() as load, upstream_process(None) as targets:
        results = recording.run(recording.subjects(), targets[0], load, loads, rounds, _say)
    print(recording.table(results))
    settings = {"recording": True, "rounds": rounds, "loads": loads, "stolen_percent": stolen.percent()}
    _say(f"written to {report.save(results, arguments.out, settings)}")
    sys.exit(1 if results.failures else 0)


def _run_endurance(calls: int, out: Path | None) -> None:
    with load_process() as load, upstream_process(None) as targets:
        looks = endurance.run(targets[0], load, calls, _say)
    print(endurance.table(looks))
    if out is not None:
        out.write_bytes(msgspec.json.encode(looks))
    sys.exit(0 if endurance.bounded(looks) else 1)


def main() -> None:
    """Entry point."""
    arguments = _arguments()
    if arguments.codecs:
        print(codecs.table(codecs.run()))
        return
    raise_file_limit()
    # A run that is ended from outside must end what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.matrix:
        _run_matrix(arguments)
    if arguments.calls:
        _run_endurance(arguments.calls, arguments.out)
    if arguments.recording:
        _run_recording(arguments)
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    scale = QUICK if arguments.quick else FULL
    if arguments.seconds:
        scale = msgspec.structs.replace(scale, seconds=arguments.seconds)
    wanted = arguments.transport or ("plain" if arguments.quick else "both")
    measures = [name for name in MEASURES if name in ALWAYS or arguments.measure is None or name in arguments.measure]
    subjects = _chosen_subjects(arguments)
    stolen = StolenTime()
    with tempfile.TemporaryDirectory(prefix="strowger-bench-") as directory:
        certificate = make_certificate(Path(directory)) if wanted != "plain" else None
        if wanted != "plain" and certificate is None:
            _say("openssl is not on PATH: nothing is measured over TLS")
        with load_process() as load, upstream_process(certificate) as targets:
            bench = Bench(subjects, measures, scale, load)
            for number in range(rounds):
                for target in targets:
                    if wanted in ("both", report.transport(target)):
                        _say(f"round {number + 1} of {rounds}, upstream {report.transport(target)}")
                        bench.round(target)
            bench.versions(rounds)
    print(report.table(bench.results))
    noise = stolen.percent()
    if noise >= _NOISY:
        _say(f"{noise:.0f} % of the processor time of this machine was taken by others: trust ratios only")
    settings = {"rounds": rounds, "quick": arguments.quick, "scale": scale, "stolen_percent": noise}
    path = report.save(bench.results, arguments.out, settings)
    _say(f"written to {path}")
    sys.exit(1 if bench.results.failures else 0)


if __name__ == "__main__":
    main()
