"""Who keeps something of each call."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from strowger.config.schema import Config, Flows
from strowger.flows.flow import Flow
from strowger.gateway.keeping import keeping
from strowger.telemetry.logs import Log


@pytest.mark.parametrize("flows, taped", [(Flows(), True), (Flows(bodies="none"), False), (Flows(store=False), False)])
def test_a_tape_runs_only_where_it_is_kept(tmp_path: Path, flows: Flows, taped: bool) -> None:
    """Who wants no bodies on disk pays nothing for them."""

    async def call() -> None:
        log = Log(tmp_path / "log")
        async with keeping(Config(flows=flows), {"XDG_STATE_HOME": str(tmp_path)}, log, print) as kept:
            flow = Flow(id="flow_1", started=1.0, clock=0.0, method="POST", path="/", dialect="anthropic")
            kept.recorder.begin(flow)
            assert (flow.tape is not None) == taped
            kept.recorder.finish(flow)
            assert (kept.store is not None) == (kept.archive is not None) == flows.store
        log.close()

    anyio.run(call)
    assert (tmp_path / "strowger" / "flows.db").exists() == flows.store
    assert '"event":"call"' in (tmp_path / "log").read_text()
