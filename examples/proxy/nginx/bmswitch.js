// The state file is one line, `colour deadline fence`, replaced by rename only. The deadline is in epoch milliseconds.
// A file that can not be read is a failure, never a colour.
import fs from 'fs';

const STATE = '/etc/nginx/bmswitch/state';
const CAP_MS = 10000;
const PROBES = ['127.66.77.83', '::ffff:127.66.77.83'];
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND'];

function parse(text) {
    const found = /^(blue|green) (\d{1,15}) (\d{1,15})\n$/.exec(text);
    return found === null ? null : {colour: found[1], until: Number(found[2]), fence: Number(found[3])};
}

function read() {
    try {
        return parse(fs.readFileSync(STATE, 'utf8'));
    } catch (e) {
        return null;
    }
}

// Looks again every 15 to 35 ms, at random: that spreads the release. Nothing waits longer than the cap.
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
            const pause = 15 + Math.floor(Math.random() * (35 - 15 + 1));
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
    r.return(200, said() + '\n');
}

export default {hold, access, colour, web, tcp, said, state};
