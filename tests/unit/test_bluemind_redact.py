import pytest

from bmswitch.bluemind.redact import redact
from bmswitch.bluemind.transport import fault_of, path, told
from bmswitch.model.errors import AccessError, RefusedError, UnknownError

SECRET = "s3cr3t-value-0123"


@pytest.mark.parametrize(
    "line",
    [
        f"System config restored to {{sw_password={SECRET}, host=10.0.0.1}}",
        f"CoreTok[key={SECRET}]",
        f'"sds_s3_secret_key":"{SECRET}"',
        f"password: {SECRET}",
        f"op:skip, type:x payload:{{'a': '{SECRET}'}}",
        f"hash 25000:{SECRET.encode().hex()}:{SECRET.encode().hex()}{SECRET.encode().hex()}",
        f"Failed auth on http://admin0:{SECRET}@10.0.0.1:8090",
        f"anything {SECRET} at all",
    ],
)
def test_no_secret_is_left_in_a_line(line: str) -> None:
    cleaned = redact(line, SECRET) if line.startswith("anything") else redact(line)
    assert SECRET not in cleaned
    assert SECRET.encode().hex() not in cleaned


def test_what_is_no_secret_stays() -> None:
    line = "12 op:CREATE, type:mailbox_records,  key:abc"
    assert redact(line) == line


def test_segments_are_encoded_so_that_the_server_reads_them_back() -> None:
    assert path("api", "a/b", "c+d", "e:f") == "/api/a%2Fb/c%2Bd/e%3Af"


def test_the_code_decides_and_not_the_status() -> None:
    refused = fault_of(500, b'{"errorCode":"NOT_GLOBAL_ADMIN","message":"no"}')
    assert isinstance(told("blue", "x", refused, write=False), AccessError)
    other = fault_of(500, b'{"errorType":"ServerFault","message":"instance is not writable"}')
    assert isinstance(told("blue", "x", other, write=True), RefusedError)
    assert isinstance(told("blue", "x", other, write=False), UnknownError)


def test_an_error_page_is_no_crash() -> None:
    fault = fault_of(502, b"<html>bad gateway</html>")
    assert not fault.not_found
    assert "gateway" in fault.text
