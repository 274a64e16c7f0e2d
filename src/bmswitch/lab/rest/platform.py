"""Platform calls: installation, tasks, login, domains, servers, configuration, jobs (clone-and-api.md 4.1, 4.5)."""

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Router, Void
from bmswitch.lab.rest.views import ItemValue, TaskRef, item_value, task_ref
from bmswitch.lab.services.accounts import Login
from bmswitch.lab.services.errors import Denied
from bmswitch.lab.services.installation import InstallationVersion
from bmswitch.lab.services.shapes_directory import Domain, Job, Server
from bmswitch.lab.services.tasks import TaskStatus

_INSTALLATION = "/api/system/installation"


class AuthUser(msgspec.Struct, frozen=True, rename="camel"):
    """Who logged in."""

    uid: str
    domain_uid: str
    display_name: str
    value: None = None
    roles: tuple[str, ...] = ()
    roles_by_ou: dict[str, list[str]] = msgspec.field(name="rolesByOU", default_factory=dict)
    settings: dict[str, str] = {}


class LoginResponse(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of a login: HTTP 200 also when refused."""

    status: str
    message: str | None
    auth_key: str | None
    latd: str | None
    auth_user: AuthUser | None


class SystemConf(msgspec.Struct, frozen=True):
    """System configuration."""

    values: dict[str, str]


def add_routes(router: Router) -> None:
    """Calls without a container."""
    router.add("GET", f"{_INSTALLATION}/state", lambda call: str(call.services.state.current))
    router.add("GET", f"{_INSTALLATION}/version", _version)
    router.add("POST", f"{_INSTALLATION}/_initialize", _initialize)
    router.add("POST", f"{_INSTALLATION}/_clone", _clone)
    router.add("PUT", f"{_INSTALLATION}/state/_demote", _demote)
    router.add("PUT", f"{_INSTALLATION}/state/_promote", _promote)
    router.add("GET", "/api/tasks/{id}", _task)
    router.add("GET", "/api/tasks/{id}/_currentLogs", _task_logs)
    router.add("POST", "/api/auth/login", _login)
    router.add("POST", "/api/auth/logout", _logout)
    router.add("POST", "/api/auth/validate", _validate)
    router.add("GET", "/api/auth/ping", lambda _: VOID)
    router.add("GET", "/api/domains", _domains)
    router.add("GET", "/api/domains/{d}", _domain)
    router.add("PUT", "/api/domains/{d}", _create_domain)
    router.add("POST", "/api/domains/{d}", _update_domain)
    router.add("GET", "/api/domains/{d}/_settings", _settings)
    router.add("PUT", "/api/domains/{d}/_settings", _set_settings)
    router.add("GET", "/api/configuration", _sysconf)
    router.add("POST", "/api/configuration", _set_sysconf)
    router.add("GET", "/api/servers/{c}/_complete", _servers)
    router.add("GET", "/api/servers/{c}/{uid}/complete", _server)
    router.add("GET", "/api/servers/{c}/{d}/assignments", _assignments)
    router.add("PUT", "/api/servers/{c}/{uid}", _put_server)
    router.add("POST", "/api/servers/{c}/{uid}", _put_server)
    router.add("POST", "/api/scheduledjobs/_updateJob", _update_job)
    router.add("GET", "/api/scheduledjobs/_job/{id}", _job)


def _version(call: Call) -> InstallationVersion:
    return call.services.installation.version()


def _initialize(call: Call) -> TaskRef:
    return task_ref(call.services.installation.initialize(admin=call.caller.admin).id)


def _clone(call: Call) -> TaskRef:
    call.need_admin()
    return task_ref(call.services.installation.clone(call.body).id)


def _demote(call: Call) -> Void:
    call.need_admin()
    call.services.installation.demote()
    return VOID


def _promote(call: Call) -> Void:
    call.need_admin()
    call.services.installation.promote()
    return VOID


def _task(call: Call) -> TaskStatus:
    return call.services.tasks.get(call["id"]).status()


def _task_logs(call: Call) -> list[str]:
    offset = call.query("offset", "0")
    return call.services.tasks.get(call["id"]).lines(int(offset) if offset.isdecimal() else 0)


async def _login(call: Call) -> LoginResponse:
    done: Login = await call.services.accounts.login(call.query("login"), call.text(), by=call.caller)
    found = done.account
    user = AuthUser(found.uid, found.domain, found.display_name) if found else None
    return LoginResponse(
        done.status, done.message, done.key, f"{found.login}@{found.domain}" if found else None, user
    )


def _logout(call: Call) -> Void:
    call.services.accounts.logout(call.key)
    return VOID


async def _validate(call: Call) -> str:
    return await call.services.accounts.validate(call.query("login"), call.text())


def _domains(call: Call) -> list[ItemValue]:
    call.need_admin()
    return [item_value(item) for item in call.services.platform.domains()]


def _domain(call: Call) -> ItemValue:
    if not call.caller.admin and call.caller.domain != call["d"]:
        raise Denied("not your domain")
    return item_value(call.services.platform.domain(call["d"]))


def _create_domain(call: Call) -> Void:
    call.need_admin()
    call.services.platform.create_domain(call["d"], call.json(Domain))
    return VOID


def _update_domain(call: Call) -> Void:
    call.need_admin()
    call.services.platform.update_domain(call["d"], call.json(Domain))
    return VOID


def _settings(call: Call) -> dict[str, str]:
    if not call.caller.admin and call.caller.domain != call["d"]:
        raise Denied("not your domain")
    call.services.platform.domain(call["d"])
    return call.services.platform.domain_settings(call["d"])


def _set_settings(call: Call) -> Void:
    call.need_admin()
    call.services.platform.set_domain_settings(call["d"], call.json(dict[str, str]))
    return VOID


def _sysconf(call: Call) -> SystemConf:
    call.need_admin()
    return SystemConf(call.services.platform.sysconf())


def _set_sysconf(call: Call) -> Void:
    call.need_admin()
    call.services.platform.merge_sysconf(call.json(dict[str, str]))
    return VOID


def _servers(call: Call) -> list[ItemValue]:
    call.need_admin()
    return [item_value(item) for item in call.services.platform.servers()]


def _server(call: Call) -> ItemValue:
    call.need_admin()
    found = {item.uid: item for item in call.services.platform.servers()}
    return item_value(found.get(call["uid"]) or call.services.items.get(call["c"], call["uid"]))


def _assignments(call: Call) -> list[dict[str, str]]:
    """Every server serves every domain with all its tags: the stand-in keeps no assignments of its own."""
    call.need_admin()
    call.services.platform.domain(call["d"])
    return [
        {"domainUid": call["d"], "serverUid": item.uid, "tag": tag}
        for item in call.services.platform.servers()
        for tag in msgspec.json.decode(item.value, type=Server).tags
    ]


def _put_server(call: Call) -> TaskRef:
    call.need_admin()
    server = call.json(Server)
    task = call.services.tasks.done(lambda: call.services.platform.put_server(call["uid"], server))
    return task_ref(task.id)


def _update_job(call: Call) -> Void:
    call.need_admin()
    call.services.platform.update_job(call.json(Job))
    return VOID


def _job(call: Call) -> Job | None:
    call.need_admin()
    side = call.services.store.side("job_plans", "system", call["id"])
    return None if side is None else msgspec.json.decode(side.value, type=Job)
