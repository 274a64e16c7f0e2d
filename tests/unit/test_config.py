"""The configuration file: every error names file, line, key, what was expected and the nearest known key."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from bmswitch.model.config import EnvoyNode, Secret
from bmswitch.model.errors import ConfigError
from bmswitch.workflows.config import config_hash, config_schema, load_config, read_secret

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = (EXAMPLES / "production.yaml").read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    path = folder / "bmswitch.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    return caught.value


def line_of(text: str, needle: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


def test_example_loads_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD.replace("/var/lib/bmswitch", "run")))
    assert config.run_dir == str(tmp_path / "run")
    assert config.blue.token.file == "/etc/bmswitch/blue.token"


def test_every_example_fits_the_generated_schema() -> None:
    schema = config_schema()
    for path in sorted(EXAMPLES.glob("*.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)


def test_every_example_loads_and_the_schema_beside_them_is_the_generated_one() -> None:
    for path in sorted(EXAMPLES.glob("*.yaml")):
        load_config(path)
    assert json.loads((EXAMPLES / "bmswitch.schema.json").read_text(encoding="utf-8")) == config_schema()


def test_unknown_key_names_line_and_nearest(tmp_path: Path) -> None:
    text = GOOD.replace("  run_dir", "run_dir").replace("budgets:\n", "budgets:\n  holdd: 3\n")
    error = refused(tmp_path, text)
    assert f"bmswitch.yaml:{line_of(text, 'holdd')}: budgets.holdd is no key" in error.cause
    assert "did you mean hold?" in error.evidence


def test_unknown_key_of_a_proxy_names_the_keys_of_its_driver(tmp_path: Path) -> None:
    text = GOOD.replace("    map_file:", "    mapfile:")
    error = refused(tmp_path, text)
    assert "proxies[0].mapfile" in error.cause
    assert "did you mean map_file?" in error.evidence
    assert "gate" not in error.evidence


def test_wrong_type_names_the_expectation(tmp_path: Path) -> None:
    text = GOOD.replace("version: 1\n", "version: one\n", 1)
    error = refused(tmp_path, text)
    assert f"bmswitch.yaml:{line_of(text, 'version: one')}: version:" in error.cause


def test_missing_key_names_its_place(tmp_path: Path) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith("run_dir"))
    assert "run_dir is missing" in refused(tmp_path, text).cause


def test_number_out_of_range(tmp_path: Path) -> None:
    text = GOOD.replace("budgets:\n", "budgets:\n  drain: -1\n")
    error = refused(tmp_path, text)
    assert f":{line_of(text, 'drain: -1')}: budgets.drain:" in error.cause


def test_duplicate_key_is_refused(tmp_path: Path) -> None:
    text = GOOD + "\nrun_dir: elsewhere\n"
    error = refused(tmp_path, text)
    assert "run_dir is given twice" in error.cause
    assert f"line {line_of(GOOD, 'run_dir:')}" in error.evidence


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [1\n", "\tb: 1\n"])
def test_what_is_no_mapping_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    assert "bmswitch.yaml" in refused(tmp_path, text).cause


def test_missing_file_says_what_next(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "nowhere.yaml")
    assert "-c FILE" in caught.value.next_command


def test_secret_with_two_places_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("token: {file: /etc/bmswitch/blue.token}", "token: {file: a, env: B}")
    error = refused(tmp_path, text)
    assert "blue.token must name exactly one of env and file" in error.cause


def test_secret_file_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read_secret(Secret(file=str(path)))
    assert "0644" in caught.value.evidence
    path.chmod(0o600)
    assert read_secret(Secret(file=str(path))) == "s3cret"


def test_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMSWITCH_TEST_TOKEN", "abc")
    assert read_secret(Secret(env="BMSWITCH_TEST_TOKEN")) == "abc"
    monkeypatch.delenv("BMSWITCH_TEST_TOKEN")
    with pytest.raises(ConfigError, match="BMSWITCH_TEST_TOKEN is not set"):
        read_secret(Secret(env="BMSWITCH_TEST_TOKEN"))


def test_hash_is_about_meaning_not_about_comments(tmp_path: Path) -> None:
    one = load_config(written(tmp_path, GOOD))
    two = load_config(written(tmp_path, "# another comment\n" + GOOD))
    other = load_config(written(tmp_path, GOOD.replace("hold: 5", "hold: 4")))
    assert config_hash(one) == config_hash(two) != config_hash(other)


def test_second_node_of_the_example_is_envoy() -> None:
    assert isinstance(load_config(EXAMPLES / "production.yaml").proxies[1], EnvoyNode)


def test_a_setting_for_the_clone_may_name_a_secret_and_its_place_is_checked(tmp_path: Path) -> None:
    text = GOOD.replace("/etc/bmswitch/green-s3.secret", "green.secret")
    override = load_config(written(tmp_path, text)).replication.sysconf_override
    assert override["sds_s3_secret_key"] == Secret(file=str(tmp_path / "green.secret"))
    assert override["host"] == "bm-core.green.example.net"
    both = GOOD.replace("{file: /etc/bmswitch/green-s3.secret}", "{file: a, env: B}")
    error = refused(tmp_path, both)
    assert "replication.sysconf_override.sds_s3_secret_key must name exactly one" in error.cause
    assert f":{line_of(both, '{file: a, env: B}')}:" in error.cause


def test_one_address_for_both_sides_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bmswitch.yaml"
    text = (Path(__file__).parents[2] / "examples" / "production.yaml").read_text(encoding="utf-8")
    path.write_text(
        text.replace("http://bm-core.green.example.net:8090", "http://BM-core.blue.example.net:8090/")
    )
    with pytest.raises(ConfigError, match="blue and green are the same core") as caught:
        load_config(path)
    assert "bmswitch.yaml:" in caught.value.cause


def shared(text: str = GOOD) -> str:
    """The example with one Kafka for both sides: green's is left out."""
    data = yaml.safe_load(text)
    data["replication"] = {"mode": "shared"}
    del data["green"]["kafka"]
    return yaml.safe_dump(data, sort_keys=False)


def test_a_shared_kafka_is_blue_s_and_green_s_is_left_out_or_the_same(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, shared()))
    assert config.green.kafka == config.blue.kafka
    data = yaml.safe_load(shared())
    brokers = data["blue"]["kafka"]["bootstrap"].split(",")
    data["green"]["kafka"] = {"bootstrap": ",".join(reversed(brokers)).upper()}
    assert load_config(written(tmp_path, yaml.safe_dump(data))).green.kafka.bootstrap


def test_another_kafka_is_refused_with_its_own_words_in_shared_mode(tmp_path: Path) -> None:
    data = yaml.safe_load(shared())
    data["green"]["kafka"] = {"bootstrap": "another:9092"}
    text = yaml.safe_dump(data, sort_keys=False)
    error = refused(tmp_path, text)
    assert (
        f":{line_of(text, 'another:9092')}: green.kafka is another Kafka than blue's, and replication.mode is shared"
        in error.cause
    )
    assert "leave green.kafka out" in error.next_command


def test_a_kafka_that_is_missing_is_named_with_its_side(tmp_path: Path) -> None:
    mirror = yaml.safe_load(shared())
    mirror["replication"] = {"mode": "mirror"}
    assert "green.kafka is missing" in refused(tmp_path, yaml.safe_dump(mirror)).cause
    blue = yaml.safe_load(shared())
    del blue["blue"]["kafka"]
    assert "blue.kafka is missing" in refused(tmp_path, yaml.safe_dump(blue)).cause


@pytest.mark.parametrize(
    ("name", "value"), [("rate", 100), ("fold", True), ("throttle", {"cpu": 0.5})], ids=str
)
def test_what_only_a_copy_has_is_refused_in_shared_mode(tmp_path: Path, name: str, value: object) -> None:
    data = yaml.safe_load(shared())
    data["replication"][name] = value
    error = refused(tmp_path, yaml.safe_dump(data))
    assert f"replication.{name} means nothing with replication.mode: shared" in error.cause
