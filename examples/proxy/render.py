"""Writes the files of one proxy node: `python render.py haproxy|nginx|envoy FOLDER`. Change the addresses to yours."""  # noqa: INP001 -- a script

import sys
from pathlib import Path

from bmswitch.proxy.envoy_render import render_envoy
from bmswitch.proxy.haproxy_render import render_haproxy
from bmswitch.proxy.layout import Backends, Listener
from bmswitch.proxy.nginx_render import render_nginx

LISTENERS = [
    Listener("http", "0.0.0.0:8080"),
    Listener("imap", "0.0.0.0:1143"),
    Listener("smtp", "0.0.0.0:1025"),
]
BACKENDS: Backends = {
    "blue": {"http": "10.0.1.10:8080", "imap": "10.0.1.10:1143", "smtp": "10.0.1.10:1025"},
    "green": {"http": "10.0.2.10:8080", "imap": "10.0.2.10:1143", "smtp": "10.0.2.10:1025"},
}


def main() -> None:
    """Prints the path of the file that the proxy is started with."""
    driver, folder = sys.argv[1], Path(sys.argv[2])
    if driver == "envoy":
        path = render_envoy(folder, LISTENERS, BACKENDS, admin="127.0.0.1:9901")
    elif driver == "nginx":
        path = render_nginx(folder, LISTENERS, BACKENDS, probe="127.0.0.1:8099", user="www-data")
    else:
        path = render_haproxy(folder, LISTENERS, BACKENDS)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
