"""Plain reads and writes of one installation, for what `verify --repair` carries from one side to the other."""

from bmswitch.bluemind.transport import AbsentError, ApiError, Method, Transport, told
from bmswitch.model.digest import Json

_ANY: type[Json] = object  # type: ignore[assignment]


class Pen:
    """One core. Raises (every method): UnreachableError, AccessError; RefusedError for a write, UnknownError for a read."""

    def __init__(
        self, url: str, token: str, *, verify: bool | str = True, name: str = "green", timeout: float = 10.0
    ) -> None:
        self.name = name
        self._http = Transport(url, token, verify=verify, name=name, timeout=timeout)

    def close(self) -> None:
        """Frees the sockets."""
        self._http.close()

    def get(self, where: str) -> Json:
        """The answer as it is; None when what was asked for is not there."""
        try:
            return self._http.get(where, _ANY)
        except AbsentError:
            return None

    def ask(self, where: str, body: Json) -> Json:
        """The same for a POST that only reads."""
        return self._http.read(where, body, _ANY)

    def write(self, method: Method, where: str, body: Json = None) -> None:
        """Writes once."""
        try:
            self._http.send(method, where, body)
        except ApiError as fault:
            raise told(self.name, f"{method} {where}", fault, write=True) from fault
