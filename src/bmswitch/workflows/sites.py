"""Opens what the configuration names: cores and the bucket, with their secrets read at the last moment."""

import ssl

from bmswitch.bluemind.client import Core
from bmswitch.bluemind.survey import Survey
from bmswitch.model.config import Bucket as BucketConfig
from bmswitch.model.config import Colour, Config, Secret, Tls
from bmswitch.objects.bucket import Bucket
from bmswitch.workflows.config import read_secret


def open_core(config: Config, colour: Colour, *, timeout: float = 5.0) -> Core:
    """The core of one side; `timeout` seconds bound each call."""
    site = config.site(colour)
    return Core(
        site.url, read_secret(site.token), verify=verification(site.tls), name=colour, timeout=timeout
    )


def open_survey(config: Config, colour: Colour, *, timeout: float = 5.0) -> Survey:
    """What guards ask of one side beside its state; `timeout` seconds bound each call."""
    site = config.site(colour)
    return Survey(
        site.url, read_secret(site.token), verify=verification(site.tls), name=colour, timeout=timeout
    )


def open_bucket(config: BucketConfig) -> Bucket:
    """The shared bucket, for reading."""
    return Bucket(
        config.endpoint,
        config.name,
        read_secret(config.access_key),
        read_secret(config.secret_key),
        region=config.region,
        verify=verification(config.tls),
    )


def verification(tls: Tls) -> bool | str:
    """How certificates are verified: not at all, by the system's authorities, or by the file given."""
    return (tls.ca_file or True) if tls.verify else False


def sysconf_override(config: Config) -> dict[str, str]:
    """What the clone puts over the source's system configuration, **secrets included**: read at the last moment."""
    return {
        key: read_secret(value) if isinstance(value, Secret) else value
        for key, value in config.replication.sysconf_override.items()
    }


def trusting(verify: bool | str) -> bool | ssl.SSLContext:  # noqa: FBT001 -- as `verification` answers
    """The same for httpx, which wants a context and no file."""
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
