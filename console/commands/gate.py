"""The live gate on the command line: what it allows and why, evidence a person admits, a bypass in an emergency."""

import json
from pathlib import Path
from typing import Final

import msgspec

from console import say
from console.assemble import strategy_files
from console.commands.settings import read
from console.commands.validate import books_alone
from console.commands.where import Where
from console.exits import Exit, Quit
from console.gatekeeping import current, standing_of
from engine.core.clean import clean
from engine.review.live_gate import BYPASS_NS_MAX
from engine.session.clock import WallClock
from engine.session.fields import parse_duration
from engine.session.layers import Override
from engine.session.program import Program
from store.gate import trusted_keys
from store.keys import keys_folder
from store.verdicts import SignedStatement

BYPASS_EURO: Final = "1"


def gate(where: Where, tree: Path | None, venue: str | None, seed: int | None) -> Exit:
    """Print the level, its reasons and what it rests on."""
    given = {"venue": venue, "seed": seed}
    overrides = {f"desk.{key}": Override(f"--{key}", value) for key, value in given.items() if value is not None}
    config = read(where, tree, overrides)
    now = current(config, Program(others=strategy_files(config)).fingerprint)
    standing = standing_of(where.home, config, now)
    told = {"env": config.env, **standing.told(), "current": msgspec.to_builtins(now)}
    if where.json:
        say.as_json(told)
        return Exit.DONE
    rows = [("reason", text) for text in told["reasons"]]
    rows += [("evidence", name) for name in standing.evidence]
    rows += [("cap", str(told["cap"] or "none"))] if standing.allows else []
    rows += [("expires", str(told["expires_at"]))] if standing.expires_ns else []
    say.pairs(f"{config.env.upper()}  live gate {standing.level}", rows)
    return Exit.DONE


def admit(where: Where, file: Path, reason: str) -> Exit:
    """Take the signed verdict of another desk as evidence of this one: a person's act, on record with its reason.

    Raises:
        Quit: it is none, its signature does not hold, or its key is not one this desk trusts.
    """
    if not reason:
        raise Quit(Exit.USAGE, "gate --admit needs --reason TEXT: it goes into the record")
    try:
        signed = msgspec.json.decode(file.read_bytes(), type=SignedStatement)
        said = signed.said
    except (OSError, msgspec.MsgspecError) as bad:
        raise Quit(Exit.USAGE, f"{file} is no signed verdict: {bad}") from bad
    if not signed.is_genuine:
        raise Quit(Exit.FAILED_CHECK, f"{file}: its signature does not hold; nothing was admitted")
    with books_alone(where) as store:
        folder = keys_folder(where.home.database)
        if signed.key not in trusted_keys(folder):
            raise Quit(
                Exit.FAILED_CHECK,
                f"{file} is foreign: signed with the key {signed.key[:16]}; put the public key of the desk that judged "
                f"it (keys/desk.pub.pem) into {folder / 'trusted'} if you trust it",
            )
        body = msgspec.to_builtins(signed) | {"reason": clean(reason)}
        store.record_gate("evidence", said.verdict.protocol_id, json.dumps(body)).result()
    text = f"admitted {said.verdict.protocol_id}: {'PASS' if said.verdict.passed else 'FAIL'}"
    say.receipt({"admitted": said.verdict.protocol_id, "passed": said.verdict.passed}, text, json_wanted=where.json)
    return Exit.DONE


def bypass(where: Where, length: str, actor: str, reason: str) -> Exit:
    """Let live positions of one euro through for a while without evidence, to test the path in an emergency.

    Raises:
        Quit: no reason, no live environment, or too long.
    """
    if where.home.env != "live":
        raise Quit(Exit.USAGE, "gate --bypass is for --env live: the gate holds nothing back in paper")
    if not reason:
        raise Quit(Exit.USAGE, "gate --bypass needs --reason TEXT: it goes into the record")
    try:
        span_ns = parse_duration(length)
    except ValueError as wrong:
        raise Quit(Exit.USAGE, f"--bypass {length}: {wrong}") from wrong
    if not 0 < span_ns <= BYPASS_NS_MAX:
        raise Quit(Exit.USAGE, f"--bypass {length}: lasts at most {BYPASS_NS_MAX // 60_000_000_000}m")
    until_ns = WallClock().now_ns() + span_ns
    body = {"actor": actor, "reason": clean(reason), "until_ns": until_ns}
    with books_alone(where) as store:
        store.record_gate("bypass", actor, json.dumps(body)).result()
    text = f"bypassed until {say.utc(until_ns)} UTC, positions of at most {BYPASS_EURO} euro; it ends by itself"
    say.receipt({"bypassed_until_ns": until_ns, "actor": actor}, text, json_wanted=where.json)
    return Exit.DONE
