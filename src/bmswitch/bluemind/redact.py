"""Removes secrets and personal data from the lines of BlueMind's task logs (clone-and-api.md 0 and 1.7).

The clone's log prints the whole system configuration, core tokens, and the payload of skipped records.
"""

import re

HIDDEN = "[hidden]"
_MAX_LINE = 2000

# names are bounded: an open `*` before them would take quadratic time on a long text without a break
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(System config restored to ).*", re.DOTALL), rf"\1{HIDDEN}"),
    (re.compile(r"((?:payload|value)\s*[:=]\s*).*", re.DOTALL | re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"((?:core[_ ]?tok(?:en)?|CoreTok)\W+(?:key\W+)?)[\w-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(\"?[\w.]{0,60}(?:password|passwd|secret|token|access_key|apikey|authkey|keytab)[\w.]{0,60}\"?\s*[:=]\s*\"?)"
            r"[^\s\",}&;]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b\d{2,}:[0-9a-fA-F]{8,}:[0-9a-fA-F]{16,}\b"), HIDDEN),
    (re.compile(r"\{SSHA(?:512)?\}\S+|\$2[aby]\$\S+|\$argon2\w*\$\S+"), HIDDEN),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), f"://{HIDDEN}@"),
)


def redact(line: str, *secrets: str) -> str:
    """The line without secrets; each text in `secrets` goes wherever it stands. At most 2,000 characters."""
    for secret in secrets:
        if secret:
            line = line.replace(secret, HIDDEN)
    for pattern, replacement in _RULES:
        line = pattern.sub(replacement, line)
    return line if len(line) <= _MAX_LINE else line[:_MAX_LINE] + " [cut]"
