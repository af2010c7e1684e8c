"""The control socket: what a desk answers, what it refuses, and that nothing sent to it hurts it."""

import asyncio
import json
import socket
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.events import Act
from engine.core.money import SCALE
from engine.core.view import CommandReceipt, OrderView
from engine.session import control, remote, watchers
from engine.session.control import CONNECTIONS_MAX, REQUEST_BYTES_MAX, Refusal
from engine.session.home import Home
from engine.session.ports import CommandRequest
from engine.session.remote import Connection, NotRunning, RemoteDesk, Unconfirmed
from engine.session.status import latched_ns, rearm_token, status_json, stopped_json
from tests.session.desk_double import NOW_NS, FakeDesk, a_view, killed, serving
from tests.steady import PATIENCE


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):  # the desk hung up first
        await writer.wait_closed()


async def lines(home: Home, *requests: bytes, count: int = 1) -> list[dict[str, Any]]:
    """Send raw bytes, read `count` answers (fewer if the desk hangs up)."""
    reader, writer = await asyncio.open_unix_connection(str(home.socket), limit=2**20)
    for request in requests:
        writer.write(request)
    answers = []
    for _ in range(count):
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
        if not line:
            break
        answers.append(json.loads(line))
    await hang_up(writer)
    return answers


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the condition belongs to another thread or task
            await asyncio.sleep(0.002)


def request(op: str, **fields: Any) -> bytes:
    return json.dumps({"protocol": control.PROTOCOL, "op": op, **fields}).encode() + b"\n"


# --- status ---


def test_a_status_has_what_scripts_rely_on_and_its_amounts_are_decimal_text() -> None:
    status = json.loads(json.dumps(status_json(a_view())))
    promised = (
        "state env run_id pid elapsed_seconds kill_latched blocks equity heat positions breakers signals heartbeat"
    )
    assert set(promised.split()) | {"feed_age_seconds", "gate_level"} <= set(status)
    assert (status["state"], status["env"], status["elapsed_seconds"]) == ("RUNNING", "paper", 90.0)
    assert (status["equity"], status["heat"]) == ("9990.12345678", {"value": "0.0002", "limit": "0.01"})
    assert status["positions"][0]["qty"] == "-0.00004" and status["feed_age_seconds"] == 0.4
    assert status["blocks"][0]["reason"] == "operator" and status["blocks"][0]["lifts"] == "resume"
    assert (status["breakers"][0]["value"], status["breakers"][0]["used"]) == (5, "1")
    assert status["signals"]["EXECUTED"] == 3 and status["signals"]["total"] == 4


def test_a_status_says_what_the_run_would_have_made_of_worse_and_better_fills() -> None:
    assert set(status_json(a_view())["net_pnl_band"].values()) == {None}
    told = status_json(a_view(net_pnl_pessimistic=-150_000_000, net_pnl_optimistic=400_000_000))
    assert told["net_pnl_band"] == {
        "pessimistic": "-1.5",
        "optimistic": "4",
        "lowest": told["net_pnl"],
        "highest": "4",
    }


def test_a_status_names_stuck_orders_and_the_days_reject_rate() -> None:
    quiet = status_json(a_view(orders=(), day_orders=0))
    assert (quiet["stuck_orders"], quiet["orders_today"]["reject_rate"]) == ([], None)
    order = OrderView("r-1-1", "BTCUSDT", "STOP", "SUBMITTED", -5, 0, 0, 1, stop_price=SCALE, stuck=True)
    status = status_json(a_view(orders=(order,), day_orders=8, day_rejects=1))
    assert status["stuck_orders"] == ["r-1-1"]
    assert (status["orders"][0]["stop_price"], status["orders"][0]["price"]) == ("1", None)
    assert status["orders_today"] == {"sent": 8, "rejected": 1, "reject_rate": "0.125"}


def test_the_status_of_a_stopped_desk_has_the_same_promised_keys() -> None:
    stopped = stopped_json("paper", kill_latched=True, kill_file=True)
    assert set(stopped) <= set(status_json(a_view()))
    assert stopped["state"] == "STOPPED" and stopped["kill_latched"] and len(stopped["blocks"]) == 2


def test_a_feed_that_never_spoke_has_no_age() -> None:
    assert status_json(a_view(feeds=()))["feed_age_seconds"] is None


def test_a_token_belongs_to_one_latch_of_one_environment() -> None:
    assert latched_ns(a_view()) is None and latched_ns(killed()) == NOW_NS - 7
    assert len({rearm_token("paper", 1), rearm_token("paper", 2), rearm_token("live", 1)}) == 3


# --- the server ---


async def test_the_socket_is_private_and_gone_after_the_end(tmp_path: Path) -> None:
    """FS-05."""
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        assert stat.S_IMODE(home.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.socket.parent.stat().st_mode) == 0o700
    assert not home.socket.exists()


async def test_a_socket_left_by_a_dead_desk_is_replaced(tmp_path: Path) -> None:
    """FS-06."""
    home = Home.at(tmp_path, "paper")
    home.create()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home.socket))
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        assert (await lines(home, request("status")))[0]["ok"]


async def test_a_deep_home_is_served_on_its_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FS-06."""
    runtime = tmp_path / "r"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    async with serving(tmp_path / ("deep" * 30), FakeDesk(a_view())) as (home, _):
        found = await asyncio.to_thread(remote.status, home)
    assert found["state"] == "RUNNING" and not home.socket.is_relative_to(home.dir)


async def test_status_is_answered_as_often_as_it_is_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        answers = await lines(home, request("status"), request("status"), count=2)
    assert [answer["status"]["run_id"] for answer in answers] == ["20261121-070822"] * 2


async def test_a_desk_that_is_starting_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk()) as (home, server):
        assert (await lines(home, request("status")))[0]["error"] == "not_ready"
    assert server.refused == {Refusal.NOT_READY: 1}


async def test_a_command_is_taken_then_receipted_with_the_user_the_kernel_names(tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        answers = await lines(home, request("command", act="pause", reason="lunch\x1b[2J\nbreak"), count=2)
    assert answers[0] == {"ok": True}
    assert answers[1]["receipt"]["text"] == "pause done" and answers[1]["receipt"]["took_us"] == 12
    (asked,) = desk.asked
    assert (asked.act, asked.source, asked.reason) == (Act.PAUSE, "cli", "lunch break") and asked.actor


@pytest.mark.parametrize("act", ["block", "unblock", "close-all", "nonsense", ""])
async def test_acts_of_the_session_itself_cannot_be_asked_for(tmp_path: Path, act: str) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        assert (await lines(home, request("command", act=act)))[0]["error"] == "unknown_act"
    assert desk.asked == []


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b'{"op": 5}\n',
        b'{"protocol": 1, "op": "status", "extra": 1}\n',
        b"\xff\xfe\xfd\n",
        b'{"op": "status", "protocol": 1e99}\n',
        b"[" * 20_000 + b"\n",
        b'{"a":' * 9_000 + b"\n",
    ],
)
async def test_what_is_no_request_is_refused_counted_and_survived(tmp_path: Path, raw: bytes) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, server):
        answers = await lines(home, raw, count=2)
        assert [answer["error"] for answer in answers] == ["malformed"]
        assert server.refused == {Refusal.MALFORMED: 1}
        assert (await lines(home, request("status")))[0]["ok"]


async def test_an_oversized_request_is_refused_and_the_connection_ends(tmp_path: Path) -> None:
    """FS-09."""
    async with serving(tmp_path, FakeDesk(a_view())) as (home, server):
        answers = await lines(home, b"x" * (REQUEST_BYTES_MAX + 10) + b"\n")
        assert answers[0]["error"] == "too_large" and server.refused == {Refusal.TOO_LARGE: 1}
        assert (await lines(home, request("status")))[0]["ok"]


async def test_an_unknown_op_is_refused_and_the_conversation_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        answers = await lines(home, request("dance"), request("status"), count=2)
    assert (answers[0]["error"], answers[1]["ok"]) == ("unknown_op", True)


async def test_another_protocol_version_may_look_and_kill_and_nothing_else(tmp_path: Path) -> None:
    """FC-10."""
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        wrong = [request("command", act=act, protocol=99) for act in ("pause", "resume", "rearm")]
        wrong += [request("view", protocol=99), request("stop", protocol=99)]
        assert {answer["error"] for answer in await lines(home, *wrong, count=5)} == {"wrong_protocol"}
        assert (await lines(home, request("status", protocol=0)))[0]["ok"]
        assert (await lines(home, request("command", act="kill", protocol=99)))[0] == {"ok": True}
    assert [asked.act for asked in desk.asked] == [Act.KILL] and desk.stops == []


async def test_stop_reaches_the_desk(tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        await asyncio.to_thread(remote.stop, home.socket, keep_positions=True)
    assert desk.stops == [("operator_stop", True)]


async def test_connections_are_bounded_and_come_free_again(tmp_path: Path) -> None:
    """FP-24, FS-09."""
    async with serving(tmp_path, FakeDesk(a_view())) as (home, server):
        held = [await asyncio.open_unix_connection(str(home.socket)) for _ in range(CONNECTIONS_MAX)]
        for _, writer in held:
            writer.write(request("status"))
        for reader, _ in held:
            assert json.loads(await reader.readline())["ok"]
        assert (await lines(home, request("status")))[0]["error"] == "busy"
        for _, writer in held:
            await hang_up(writer)
        await until(lambda: not server._serving)
        assert (await lines(home, request("status")))[0]["ok"] and server.refused == {Refusal.BUSY: 1}


async def test_a_connection_that_asks_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FS-09."""
    monkeypatch.setattr(control, "IDLE_SECONDS", 0.05)
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        assert await lines(home) == []


async def test_a_reader_that_takes_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FS-09."""
    monkeypatch.setattr(control, "WRITE_SECONDS", 0.05)
    monkeypatch.setattr(control, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(control, "VIEW_EVERY_MS", (0, 0, 0))
    desk = FakeDesk(a_view())

    def flood() -> bool:
        desk.now = a_view(equity_curve=tuple(range(10_000)))
        return True

    async with serving(tmp_path, desk) as (home, server):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(home.socket))
            deaf.sendall(request("view"))
            await until(lambda: server._serving)
            await until(lambda: flood() and not server._serving)


# --- rearm ---


async def test_rearm_needs_the_token_of_the_latch(tmp_path: Path) -> None:
    """FO-09."""
    desk = FakeDesk(killed())
    async with serving(tmp_path, desk) as (home, _):
        token = (await lines(home, request("status")))[0]["status"]["rearm_token"]
        refused = (await lines(home, request("command", act="rearm", reason="ok", confirm="deadbeef")))[0]
        assert refused["error"] == "not_confirmed" and desk.asked == []
        answers = await lines(home, request("command", act="rearm", reason="ok", confirm=token), count=2)
    assert answers[1]["receipt"]["accepted"] and [asked.act for asked in desk.asked] == [Act.REARM]


@pytest.mark.parametrize("source", ["file", "environment"])
async def test_rearm_is_refused_while_what_killed_still_stands(tmp_path: Path, source: str) -> None:
    desk = FakeDesk(killed())
    variables = {"NIGHTDESK_KILL_SWITCH": "TRUE"} if source == "environment" else {}
    async with serving(tmp_path, desk, variables=variables) as (home, _):
        if source == "file":
            home.kill_file.touch()
        token = rearm_token("paper", NOW_NS - 7)
        refused = (await lines(home, request("command", act="rearm", reason="ok", confirm=token)))[0]
    assert refused["error"] == "still_killed" and "remove it first" in refused["text"] and desk.asked == []


# --- the other side ---


async def test_no_desk_no_answer_and_the_words_say_where(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    with pytest.raises(NotRunning, match="no desk is running"):
        remote.status(home)
    with pytest.raises(NotRunning, match="no desk answers at"):
        Connection(home.socket)


async def test_a_desk_that_hangs_before_taking_a_command_is_told_from_one_that_took_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "RECEIPT_SECONDS", 60.0)
    monkeypatch.setattr(remote, "RECEIPT_SECONDS", -0.9)
    monkeypatch.setattr(control, "CLOSE_SECONDS", 0.05)
    kill = CommandRequest(Act.KILL, "cli", "ada")
    desk = FakeDesk(a_view(), answers=False)
    async with serving(tmp_path, desk) as (home, _):
        with pytest.raises(Unconfirmed, match="took the command"):
            await asyncio.to_thread(remote.command, home.socket, kill)
    assert [asked.act for asked in desk.asked] == [Act.KILL]
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(tmp_path / "frozen.sock"))
        frozen.listen()
        with pytest.raises(NotRunning, match=r"did not answer within 0\.05 s"):
            await asyncio.to_thread(remote.command, tmp_path / "frozen.sock", kill, seconds=0.05)


async def test_a_receipt_that_never_comes_is_said_by_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "RECEIPT_SECONDS", 0.02)
    async with serving(tmp_path, FakeDesk(a_view(), answers=False)) as (home, _):
        answers = await lines(home, request("command", act="pause"), count=2)
    assert answers[1]["error"] == "timeout"


async def test_a_remote_desk_shows_views_sends_commands_and_sees_the_end(tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        far = RemoteDesk(lambda: home.socket, every_ms=50)
        await asyncio.to_thread(far.start)
        await until(lambda: far.view() == a_view())
        desk.now = killed(equity=1)
        await until(lambda: far.view() == killed(equity=1))
        receipt = far.command(CommandRequest(Act.REARM, "tui", "ada", "checked"))
        await until(receipt.done)
        assert receipt.result() == CommandReceipt(True, "rearm done", 12, ("o-1",))
        assert [asked.source for asked in desk.asked] == ["tui"]
        assert far.away == ""
        desk.over = True
        await until(lambda: far.away)
        assert far.away == "the desk has ended" and not far.ended()
        far.close()
        assert far.ended()


async def test_a_remote_desk_comes_back_by_itself_to_the_next_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "AGAIN_SECONDS", 0.01)
    home = Home.at(tmp_path, "paper")
    far = RemoteDesk(lambda: remote.socket_of(home), every_ms=50)
    async with serving(tmp_path, FakeDesk(a_view())):
        await asyncio.to_thread(far.start)
        await until(far.view)
    await until(lambda: "no desk is running" in far.away)
    assert far.view() == a_view()
    receipt = far.command(CommandRequest(Act.KILL, "tui", "ada"))
    await until(receipt.done)
    assert isinstance(receipt.exception(), NotRunning)
    async with serving(tmp_path, FakeDesk(a_view(run_id="next", equity=5))):
        await until(lambda: far.view() == a_view(run_id="next", equity=5))
        assert far.away == ""
    far.close()


async def test_a_remote_desk_notices_that_the_desk_is_gone(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    far = RemoteDesk(lambda: tmp_path / "s")
    far.start()
    listener.accept()[0].close()  # whether anybody is there at all
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b'{"ok": true}\n')
    connection.close()
    listener.close()
    await until(lambda: far.away)
    assert "hung up" in far.away or "no desk answers" in far.away
    far.close()


async def test_without_a_desk_there_is_nothing_to_watch(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    with pytest.raises(NotRunning, match="no desk is running in"):
        RemoteDesk(lambda: remote.socket_of(home)).start()


async def test_closing_a_remote_desk_ends_its_thread(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        far = RemoteDesk(lambda: home.socket)
        await asyncio.to_thread(far.start)
        await until(far.view)
        far.close()
        await until(lambda: not any(thread.name == "views" for thread in threading.enumerate()))


async def test_those_who_watch_are_told_of_an_orderly_end(tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, server):
        far = RemoteDesk(lambda: home.socket, every_ms=5_000)
        await asyncio.to_thread(far.start)
        await until(far.view)
        desk.now = a_view(equity=3)
        await server.close()
        await until(lambda: far.away)
        assert far.view() == a_view(equity=3), "the last word arrives"
        far.close()


# --- those who watch ---


class Watching:
    """A connection that is sent views: every line as it was."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def at(cls, home: Home, *, protocol: int = control.WITH_CHANGES, **fields: Any) -> "Watching":
        watching = cls(*await asyncio.open_unix_connection(str(home.socket), limit=2**20))
        watching.writer.write(request("view", every_ms=50, **{"protocol": protocol} | fields))
        assert await watching.line() == {"ok": True}
        return watching

    async def line(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return dict(json.loads(await self._reader.readline()))

    async def ask(self, sent: bytes) -> dict[str, Any]:
        self.writer.write(sent)
        return await self.line()


Watch = Callable[..., Awaitable[Watching]]


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Open connections that are sent views; they are closed in the end."""
    opened: list[Watching] = []

    async def begin(home: Home, **fields: Any) -> Watching:
        opened.append(await Watching.at(home, **fields))
        return opened[-1]

    yield begin
    for watching in opened:
        await hang_up(watching.writer)


async def test_all_who_watch_at_one_pace_are_sent_the_same_bytes_encoded_once(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    write = watchers._line

    def counted(**message: Any) -> bytes:
        encoded.extend(message)
        return write(**message)

    monkeypatch.setattr(watchers, "_line", counted)
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, server):
        eight = [await watch(home) for _ in range(8)]
        assert [list(await one.line()) for one in eight] == [["view"]] * 8
        encoded.clear()
        desk.now = a_view(equity=7)
        assert [await one.line() for one in eight] == [{"change": {"~": {"equity": 7}}}] * 8
        assert encoded == ["change"] and len(server._watchers) == 8
        for one in eight:
            await hang_up(one.writer)
        await until(lambda: not server._watchers)
        assert not any(task.get_name() == "views" for task in asyncio.all_tasks())


async def test_who_knows_no_changes_is_sent_whole_views(tmp_path: Path, watch: Watch) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        old, new = await watch(home, protocol=1), await watch(home)
        assert [list(await one.line()) for one in (old, new)] == [["view"], ["view"]]
        desk.now = a_view(equity=7)
        assert (await old.line())["view"]["equity"] == 7
        assert list(await new.line()) == ["change"]


async def test_who_comes_later_begins_with_a_whole_view(tmp_path: Path, watch: Watch) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        first = await watch(home)
        await first.line()
        desk.now = a_view(equity=7)
        await first.line()
        second = await watch(home)
        assert (await second.line())["view"]["equity"] == 7
        desk.now = a_view(equity=8)
        assert await first.line() == await second.line() == {"change": {"~": {"equity": 8}}}


async def test_a_reader_that_fell_behind_goes_on_from_a_whole_view(tmp_path: Path, watch: Watch) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, server):
        quick, slow = await watch(home), await watch(home)
        await quick.line()
        await slow.line()
        (pace,) = server._watchers._paces.values()
        behind = pace.watchers[1]
        turn = 0
        while behind.is_current:  # what it is sent stays in its buffers until they are full
            turn += 1
            desk.now = a_view(equity=turn, equity_curve=tuple(range(turn, turn + 20_000)))
            assert "change" in await quick.line()
        desk.now = a_view(equity=-1)
        await quick.line()
        kinds: list[str] = []
        while not (kinds and kinds[-1] == "view"):
            kinds.extend(await slow.line())
        assert set(kinds[:-1]) == {"change"}
        desk.now = a_view(equity=-2)
        assert await slow.line() == {"change": {"~": {"equity": -2}}}


async def test_requests_are_answered_while_views_are_sent(tmp_path: Path, watch: Watch) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        watching = await watch(home)
        await watching.line()
        assert (await watching.ask(request("status")))["ok"]
        assert await watching.ask(request("command", act="pause")) == {"ok": True}
        assert "receipt" in await watching.line()
    assert [asked.act for asked in desk.asked] == [Act.PAUSE]


async def test_who_only_watches_commands_nothing_not_even_a_kill(tmp_path: Path, watch: Watch) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, server):
        watching = await watch(home, role="viewer")
        await watching.line()
        for asked in (request("command", act="pause"), request("command", act="kill"), request("stop")):
            assert (await watching.ask(asked))["error"] == Refusal.WATCHES_ONLY
        assert (await watching.ask(request("command", act="pause", role="operator")))["error"] == "watches_only"
        assert (await watching.ask(request("status")))["ok"]
        far = RemoteDesk(lambda: home.socket, only_watches=True)
        assert not far.command(CommandRequest(Act.KILL, "tui", "ada")).result().accepted
        assert server.refused == {Refusal.WATCHES_ONLY: 4}
    assert desk.asked == [] and desk.stops == []


async def test_the_log_tells_who_came_and_went(tmp_path: Path, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "control")
    async with serving(tmp_path, FakeDesk(a_view())) as (home, server):
        operator, viewer = await watch(home), await watch(home, role="viewer")
        for watching in (operator, viewer):
            await watching.line()
            await hang_up(watching.writer)
        await until(lambda: not server._watchers)
    told = [record.getMessage().split(" ", 1)[1] for record in caplog.records]
    assert told[:2] == ["attached, to act; 1 watch", "attached, to watch; 2 watch"]
    assert told[2].startswith("detached, to act") and told[3] == "detached, to watch; 0 watch"


async def test_a_desk_of_an_older_version_is_watched_in_its_own_way(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    here: list[asyncio.StreamWriter] = []

    async def old_desk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.append(writer)
        while line := await reader.readline():
            asked.append(json.loads(line))
            if asked[-1].get("protocol") != 1 or "role" in asked[-1]:
                writer.write(b'{"ok": false, "error": "wrong_protocol", "text": "no"}\n')
            else:
                writer.write(b'{"ok": true}\n' + msgspec.json.encode({"view": a_view()}) + b"\n")
        await hang_up(writer)
        here.remove(writer)

    async with await asyncio.start_unix_server(old_desk, str(tmp_path / "s")):
        far = RemoteDesk(lambda: tmp_path / "s", only_watches=True)
        await asyncio.to_thread(far.start)
        await until(lambda: far.view() == a_view())
        far.close()
        await until(lambda: not here)
    assert [one.get("role") for one in asked] == ["viewer", None]
