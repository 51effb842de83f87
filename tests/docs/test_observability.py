"""The page of metrics, the dashboard and the rules name what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from strowger.telemetry import metrics, tallies
from strowger.telemetry.families import FAMILIES, PREFIX
from tests.house import tree

PAGE = "docs/reference/metrics.md"
DASHBOARD = "contrib/grafana/strowger.json"
RULES = "contrib/prometheus/alerts.yml"
BY_NAME = {PREFIX + family.name: family for family in FAMILIES}
ROW = re.compile(r"^\| `(strowger_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)
SERIES = re.compile(r"\b(strowger_[a-z_]+)\b(?:\{([^}]*)\})?")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tree.text(DASHBOARD))
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(tree.text(RULES))["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in dashboard()["annotations"]["list"])
    yield from (each["definition"] for each in dashboard()["templating"]["list"] if "definition" in each)
    yield from (rule["expr"] for rule in rules())


def test_the_page_lists_every_metric() -> None:
    """With its type, its labels and what it means, and no other."""
    listed = {found[1]: found.groups()[1:] for found in ROW.finditer(tree.text(PAGE))}
    assert listed == {
        name: (family.kind, ", ".join(f"`{label}`" for label in family.labels) or "-", family.help)
        for name, family in BY_NAME.items()
    }


def test_the_page_knows_the_bounds() -> None:
    """How many values a label may have."""
    bounds = (
        f"{metrics.MODELS} models, {metrics.PROVIDERS} providers, {metrics.ROUTES} routes and {metrics.FIELDS} fields"
    )
    assert bounds in " ".join(tree.text(PAGE).split())
    assert f"{tallies.MOST_SERIES:,} series" in tree.text(PAGE)


def test_what_is_drawn_and_watched_is_there() -> None:
    """Every metric in the dashboard and the rules exists, with the labels that it is asked by."""
    asked = [found for text in expressions() for found in SERIES.finditer(text)]
    assert len(asked) > 40
    for found in asked:
        name = found[1] if found[1] in BY_NAME else re.sub(r"_(bucket|sum|count)$", "", found[1])
        assert name in BY_NAME, found[0]
        family = BY_NAME[name]
        assert (name == found[1]) == (family.kind != "histogram"), f"{found[0]}: only a histogram has parts"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", found[2] or ""))
        assert labels <= {*family.labels, "le"}, found[0]
    shown = {PREFIX + family.name for family in FAMILIES if any(PREFIX + family.name in text for text in expressions())}
    missing = BY_NAME.keys() - shown
    assert len(missing) < len(BY_NAME) / 2


def test_groups_are_by_labels_that_are_there() -> None:
    """`by (…)` of a label that a metric does not have would give one line for all."""
    for text in expressions():
        for labels, inner in re.findall(r"by \(([^)]*)\) \((.*)", text):
            names = [PREFIX + family.name for family in FAMILIES if PREFIX + family.name in inner]
            known = {label for name in names for label in BY_NAME[name].labels} | {"le", "instance", "job"}
            assert set(re.split(r",\s*", labels)) <= known, text


def test_there_are_six_alerts() -> None:
    """Each says how bad it is, what it is and what to look at."""
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) == 6
    for alert in alerts:
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert alert["annotations"].keys() >= {"summary", "description"}
        assert alert["alert"].startswith("Strowger")


def test_the_dashboard_can_be_laid_out() -> None:
    """Panels have numbers and places of their own, a data source that is chosen, and say what they show."""
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]
    assert dashboard()["uid"] == "strowger"


@needs_promtool
def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    """And what is drawn, with something for the variables; the rules' own tests hold."""
    plain = [re.sub(r"\$__\w+", "5m", text).replace("$provider", ".*") for text in expressions()]
    drawn = [text.replace("$model", ".*") for text in plain if not text.startswith("label_values")]
    made = [{"record": f"drawn:n{number}", "expr": text} for number, text in enumerate(drawn)]
    (tmp_path / "drawn.yml").write_text(yaml.safe_dump({"groups": [{"name": "drawn", "rules": made}]}))
    folder = tree.ROOT / "contrib" / "prometheus"
    for command in (
        ("check", "rules", str(folder / "alerts.yml"), str(tmp_path / "drawn.yml")),
        ("test", "rules", str(folder / "alerts.test.yml")),
    ):
        judged = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60, check=False)
        assert judged.returncode == 0, judged.stdout + judged.stderr
