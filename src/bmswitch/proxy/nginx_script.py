"""The njs script that every nginx worker runs: it reads one file, holds while its deadline lies ahead, names the colour.

Works with njs 0.7.9 (Debian 12): no shared dictionary, nothing is kept between requests, the file is the only state.
"""

import re
from typing import Final

from bmswitch.model.config import Colour
from bmswitch.model.errors import UnknownError
from bmswitch.proxy.layout import HOLD_CAP_MS, LOOK_AGAIN_MS, replace_words

PROBE_SOURCE: Final = "127.66.77.83"
"""Whoever connects from here asks nginx itself, and is never held. No packet from outside can carry it (RFC 1122)."""

STATE_PATH: Final = "/_bmswitch/state"
HOLD_PATH: Final = "/_bmswitch/hold"

_STATE: Final = re.compile(r"(blue|green) (\d{1,15}) (\d{1,15})\n", re.ASCII)

_SCRIPT: Final = """\
// The state file is one line, `colour deadline fence`, replaced by rename only. The deadline is in epoch milliseconds.
// A file that can not be read is a failure, never a colour.
import fs from 'fs';

const STATE = '@state@';
const CAP_MS = @cap@;
const PROBES = ['@probe@', '::ffff:@probe@'];
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND'];

function parse(text) {
    const found = /^(blue|green) (\\d{1,15}) (\\d{1,15})\\n$/.exec(text);
    return found === null ? null : {colour: found[1], until: Number(found[2]), fence: Number(found[3])};
}

function read() {
    try {
        return parse(fs.readFileSync(STATE, 'utf8'));
    } catch (e) {
        return null;
    }
}

// Looks again every @least@ to @most@ ms, at random: that spreads the release. Nothing waits longer than the cap.
// njs frees nothing before a request ends, so a look at an unchanged file makes as little as it can.
function wait(done) {
    const last = {text: '', until: 0};
    const end = Date.now() + CAP_MS;
    function look() {
        let text = '';
        try {
            text = fs.readFileSync(STATE, 'utf8');
        } catch (e) {
            text = '';
        }
        if (text !== last.text || text === '') {
            const cut = parse(text);
            if (cut === null) {
                done(false);
                return;
            }
            last.text = text;
            last.until = Math.min(cut.until, end);
        }
        if (Date.now() >= last.until) {
            done(true);
        } else {
            const pause = @least@ + Math.floor(Math.random() * (@most@ - @least@ + 1));
            setTimeout(look, Math.min(pause, Math.max(1, end - Date.now())));
        }
    }
    look();
}

function hold(r) {
    wait((free) => r.return(free ? 204 : 503));
}

function access(s) {
    if (PROBES.indexOf(s.remoteAddress) >= 0) {
        s.allow();
        return;
    }
    wait((free) => free ? s.allow() : s.deny());
}

function colour() {
    const cut = read();
    return cut === null ? 'none' : cut.colour;
}

// Only reads may be sent twice: a backend that closes without a word may have done it.
function web(r) {
    return (SAFE.indexOf(r.method) >= 0 ? 'web_' : 'web_once_') + colour();
}

// Where a connection goes: a probe to nginx's own answer, through the listener that it came in by.
function tcp(s) {
    return PROBES.indexOf(s.remoteAddress) >= 0 ? 'probe' : colour();
}

function said() {
    const cut = read();
    return (cut === null ? 'none 0 0' : `${cut.colour} ${cut.until} ${cut.fence}`) + ` ${CAP_MS} ${Date.now()}`;
}

function state(r) {
    r.return(200, said() + '\\n');
}

export default {hold, access, colour, web, tcp, said, state};
"""


def script_text(state_file: str, *, spread: int = 0) -> str:
    """The script for one state file (absolute path). `spread`: milliseconds by which the release is stretched."""
    least, most = LOOK_AGAIN_MS
    words = {"state": state_file, "cap": HOLD_CAP_MS, "probe": PROBE_SOURCE}
    return replace_words(_SCRIPT, words | {"least": least, "most": most + spread})


def state_text(colour: Colour, *, hold_until_ms: int, fence: int) -> str:
    """The state file: what every worker reads at every request."""
    return f"{colour} {hold_until_ms} {fence}\n"


def parse_state(text: str, where: str) -> tuple[Colour, int, int]:
    """Colour, deadline (epoch milliseconds) and fence.

    Raises:
        UnknownError: not such a line.
    """
    found = _STATE.fullmatch(text)
    if found is None:
        raise UnknownError(
            f"the state file {where} is not understood",
            evidence=repr(text[:60]),
            consequence="nginx refuses every request and connection until it is mended",
            next_command=f"write `blue 0 0` to a file beside it and rename that to {where}",
        )
    colour: Colour = "blue" if found[1] == "blue" else "green"
    return colour, int(found[2]), int(found[3])
