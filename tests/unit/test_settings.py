"""What a start is refused for, and that the sentence mends it without quoting a value."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Mode, Settings, SettingsError, load_settings, read_secret, read_secret_lines

PRODUCTION = {
    "BANDIAN_MODE": "production",
    "BANDIAN_PUBLIC_URL": "https://bandian.example",
    "BANDIAN_DATABASE_URL": "postgresql://bandian@db.example/bandian",
    "BANDIAN_AT_REST_KEYS": "env:AT_REST_KEY",
}
SOURCE = {"code": "gd-platform", "url": "https://source.example", "region": "440000", "access_id": "bandian"}


def sources(*changes: dict[str, Any]) -> dict[str, str]:
    return {"BANDIAN_SOURCES": json.dumps([SOURCE | change for change in changes])}


def refusal(env: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(env)
    return str(caught.value)


def test_nothing_set_makes_a_development_gateway_on_this_machine_alone() -> None:
    settings = load_settings({})
    assert settings.mode is Mode.DEVELOPMENT
    assert (settings.host, settings.base_url) == ("127.0.0.1", "http://127.0.0.1:8080")
    assert settings.database() == "sqlite:///./var/bandian.sqlite3"
    assert settings.may_generate_keys
    assert settings.insecure_endpoint_hosts == frozenset()


def test_production_generates_no_keys_by_itself() -> None:
    assert not load_settings(PRODUCTION).may_generate_keys


def test_the_machines_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANDIAN_PORT", "9999")
    assert load_settings({}).port == 8080
    assert Settings().port == 8080


def test_empty_variables_and_those_of_tests_and_of_others_are_left_alone() -> None:
    env = {"BANDIAN_PUBLIC_URL": "", "BANDIAN_TEST_POSTGRES": "x", "PATH": "/bin", "BANDIANISM": "x"}
    assert load_settings(env) == load_settings({})


def test_addresses_lose_their_trailing_slash_and_the_issuer_follows() -> None:
    settings = load_settings({"BANDIAN_PUBLIC_URL": "https://bandian.example/"})
    assert settings.base_url == settings.issuer_url == "https://bandian.example"


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:81"), ("::1", "http://[::1]:81"), ("gateway", "http://gateway:81")],
)
def test_the_listening_address_is_the_public_one_where_none_is_said(host: str, url: str) -> None:
    assert load_settings({"BANDIAN_HOST": host, "BANDIAN_PORT": "81"}).base_url == url


def test_nested_settings_are_read() -> None:
    env = {
        **sources({"access_secret": "s"}, {"code": "gz-platform", "region": "440100", "access_secret": "t"}),
        "BANDIAN_IDENTITY_PROVIDER__ISSUER": "https://id.example",
        "BANDIAN_DEPARTMENTS": '{"water": {"audience": "bandian"}}',
    }
    settings = load_settings(env)
    assert [source.secret() for source in settings.sources] == ["s", "t"]
    assert settings.identity_provider is not None
    assert settings.identity_provider.issuer == "https://id.example"
    assert settings.department_options() == {"water": {"audience": "bandian"}}


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("utility", {"utility"}),
        (" utility, Departments,127.0.0.1,", {"utility", "departments", "127.0.0.1"}),
        ('["localhost", "::1", "127.0.0.1"]', {"localhost", "::1", "127.0.0.1"}),
        ("[]", set()),
    ],
)
def test_insecure_hosts_are_a_comma_list_or_a_json_list(value: str, hosts: set[str]) -> None:
    assert load_settings({"BANDIAN_INSECURE_ENDPOINT_HOSTS": value}).insecure_endpoint_hosts == hosts


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"BANDIAN_PROT": "1"}, "did you mean BANDIAN_PORT"),
        ({"BANDIAN_PORT__X": "1"}, "BANDIAN_PORT__X is not a setting"),
        ({"BANDIAN_IDENTITY_PROVIDER__ISUER": "x"}, "BANDIAN_IDENTITY_PROVIDER__ISSUER?"),
        ({"BANDIAN_ZZZZZZ": "1"}, "remove it"),
        ({"BANDIAN_PORT": "abc"}, "BANDIAN_PORT: input should be a valid integer"),
        ({"BANDIAN_PORT": "65536"}, "BANDIAN_PORT: input should be less than or equal to 65535"),
        ({"BANDIAN_MODE": "prod"}, "'development' or 'production'"),
        ({"BANDIAN_SOURCES": "[{"}, "BANDIAN_SOURCES is not valid JSON"),
        ({"BANDIAN_SOURCES": '[{"code": "x"}]'}, "BANDIAN_SOURCES[0].url: field required"),
        (sources({"colour": "red", "access_secret": "s"}), "BANDIAN_SOURCES[0].colour"),
        (sources({}), "gd-platform needs exactly one of"),
        (sources({"access_secret": "s", "access_secret_file": "/f"}), "gd-platform needs exactly one of"),
        (sources({"access_secret": "s"}, {"access_secret": "t"}), "a code twice"),
        ({"BANDIAN_DATABASE_URL": "mysql://h/d"}, "sqlite:/// or postgresql://"),
        ({"BANDIAN_DATABASE_URL": "sqlite:///:memory:"}, "must name a file"),
        ({"BANDIAN_DATABASE_URL": "sqlite://"}, "must name a file"),
        ({"BANDIAN_PROCESSES": "2"}, "SQLite has one writer"),
        ({"BANDIAN_NATS_URL": "http://127.0.0.1:4222"}, "BANDIAN_NATS_URL: must be an address such as nats://"),
        ({"BANDIAN_NATS_URL": "nats://127.0.0.1:4222/streams"}, "BANDIAN_NATS_URL: must be an address"),
        ({"BANDIAN_NATS_PASSWORD_FILE": "/f"}, "set both or neither"),
        ({"BANDIAN_NATS_URL": "nats://h:4222", "BANDIAN_NATS_PASSWORD_FILE": "/f"}, "a user and no password"),
        ({"BANDIAN_DELIVERY_LEASE_S": "19"}, "at least twice BANDIAN_DELIVERY_TIMEOUT_S"),
        ({"BANDIAN_DELIVERY_GIVE_UP_DAYS": "2"}, "shorter than BANDIAN_DELIVERY_GIVE_UP_DAYS"),
        ({"BANDIAN_PUBLIC_URL": "gateway.example"}, "absolute address"),
        ({"BANDIAN_PUBLIC_URL": "https://u:p@gateway.example"}, "without user information"),
        ({"BANDIAN_PUBLIC_URL": "https://a.example", "BANDIAN_ISSUER": "https://b.example"}, "different hosts"),
        ({"BANDIAN_DEPARTMENTS": '{"water": 1}'}, "BANDIAN_DEPARTMENTS"),
        ({"BANDIAN_INSECURE_ENDPOINT_HOSTS": "http://utility"}, "host names or addresses"),
        ({"BANDIAN_INSECURE_ENDPOINT_HOSTS": "utility:8080"}, "host names or addresses"),
        ({"BANDIAN_INSECURE_ENDPOINT_HOSTS": '["utility"'}, "a comma list or a JSON list"),
        ({"BANDIAN_INSECURE_ENDPOINT_HOSTS": "[1]"}, "should be a valid string"),
        ({"BANDIAN_RATE_LIMIT": "1200/minute"}, "BANDIAN_RATE_LIMIT is not a setting"),
        ({"BANDIAN_MAX_BODY_BYTES": "1"}, "greater than or equal to 16384"),
        ({"BANDIAN_AT_REST_KEYS": "ab" * 32}, "BANDIAN_AT_REST_KEYS: must say where the wrapping key is"),
        ({"BANDIAN_AT_REST_ALGORITHM": "aes-128-gcm"}, "'aes-256-gcm' or 'sm4-gcm'"),
        ({"BANDIAN_RETENTION": '{"parties_days": -1}'}, "BANDIAN_RETENTION__PARTIES_DAYS"),
        ({"BANDIAN_RETENTION": '{"party_days": 1}'}, "BANDIAN_RETENTION__PARTY_DAYS"),
    ],
)
def test_a_wrong_or_contradictory_setting_is_refused_with_what_mends_it(env: dict[str, str], words: str) -> None:
    assert words in refusal(env)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"BANDIAN_PUBLIC_URL": ""}, "BANDIAN_PUBLIC_URL must say"),
        ({"BANDIAN_PUBLIC_URL": "http://bandian.example"}, "BANDIAN_PUBLIC_URL must be an https address"),
        ({"BANDIAN_PUBLIC_URL": "https://127.0.0.1"}, "BANDIAN_PUBLIC_URL must not be a loopback address"),
        ({"BANDIAN_GENERATE_KEYS": "true"}, "never generated"),
        ({"BANDIAN_AT_REST_KEYS": ""}, "BANDIAN_AT_REST_KEYS must say"),
        ({"BANDIAN_INSECURE_ENDPOINT_HOSTS": "utility"}, "https alone"),
        ({"BANDIAN_DATABASE_URL": "sqlite:////data/b.sqlite3", "BANDIAN_PROCESSES": "4"}, "SQLite has one writer"),
        ({"BANDIAN_DATABASE_URL": "sqlite:////data/b.sqlite3", "BANDIAN_EMBEDDED_WORKER": "false"}, "EMBEDDED_WORKER"),
        ({"BANDIAN_LOG_LEVEL": "debug"}, "BANDIAN_LOG_LEVEL"),
        ({"BANDIAN_IDENTITY_PROVIDER__ISSUER": "http://id.example"}, "IDENTITY_PROVIDER__ISSUER must be an https"),
        ({"BANDIAN_NATS_URL": "nats://nats.example:4222"}, "NATS_URL goes over the network without TLS"),
        (sources({"access_secret": "s"}), "access_secret_file"),
        (sources({"access_secret_file": "/f", "url": "http://source.example"}), "SOURCES[gd-platform].url must be an"),
    ],
)
def test_production_refuses_what_is_fit_for_ones_own_machine_only(change: dict[str, str], words: str) -> None:
    assert load_settings(PRODUCTION)
    assert words in refusal(PRODUCTION | change)


@pytest.mark.parametrize(
    "env",
    [
        {"BANDIAN_DATABASE_URL": "mysql://user:hunter2@h/d"},
        sources({"access_secret": ["hunter2"]}),
        sources({"access_secret": "hunter2", "url": "ftp://hunter2"}),
        {"BANDIAN_SOURCES": '[{"access_secret": "hunter2"'},
        {"BANDIAN_PORT": "hunter2"},
        {"BANDIAN_AT_REST_KEYS": "hunter2"},
        PRODUCTION | sources({"access_secret": "hunter2"}),
    ],
)
def test_no_refusal_quotes_a_value(env: dict[str, str]) -> None:
    said = refusal(env)
    assert "hunter2" not in said
    assert "\n" not in said


def test_repr_shows_no_secret() -> None:
    settings = load_settings(
        sources({"access_secret": "hunter2"}) | {"BANDIAN_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings) + str(settings)
    assert "hunter2" in settings.database()


def test_the_wrapping_key_is_read_from_the_variable_that_is_named_and_no_other() -> None:
    for env in (
        {"BANDIAN_AT_REST_KEYS": "env:THE_KEY", "THE_KEY": "hunter2", "OTHER": "x"},
        {"BANDIAN_AT_REST_KEYS": "env:BANDIAN_AT_REST_KEY", "BANDIAN_AT_REST_KEY": "hunter2", "OTHER": "x"},
    ):
        settings = load_settings(env)
        named = env["BANDIAN_AT_REST_KEYS"].removeprefix("env:")
        assert settings.wrapping_key(named) == "hunter2"
        assert settings.wrapping_key("OTHER") is None
        assert "hunter2" not in repr(settings)
    assert load_settings({"BANDIAN_AT_REST_KEYS": "env:THE_KEY"}).wrapping_key("THE_KEY") is None


def test_the_wrapping_key_of_a_development_gateway_lies_beside_its_data_keys() -> None:
    assert load_settings({"BANDIAN_KEY_DIR": "/k"}).key_provider == "file:/k/at-rest/master.key"


def test_the_database_password_comes_from_its_file_whatever_it_is_made_of(tmp_path: Path) -> None:
    from adapters.storage.engine import normalise_url

    secret = tmp_path / "postgres"
    secret.touch(0o600)
    secret.write_text("p@ss/w:rd%中\n", "utf-8")
    env = {
        "BANDIAN_DATABASE_URL": "postgresql://u@h:5433/d?sslmode=require",
        "BANDIAN_DATABASE_PASSWORD_FILE": str(secret),
    }
    url = normalise_url(load_settings(env).database())
    assert (url.username, url.password, url.host, url.port, url.database) == ("u", "p@ss/w:rd%中", "h", 5433, "d")
    assert url.query["sslmode"] == "require"


@pytest.mark.parametrize("url", ["sqlite:///x.sqlite3", "postgresql://h/d", "postgresql://u:p@h/d"])
def test_a_password_file_that_contradicts_the_url_is_refused(url: str, tmp_path: Path) -> None:
    secret = tmp_path / "postgres"
    secret.touch(0o600)
    secret.write_text("p")
    settings = load_settings({"BANDIAN_DATABASE_URL": url, "BANDIAN_DATABASE_PASSWORD_FILE": str(secret)})
    with pytest.raises(SettingsError, match="BANDIAN_DATABASE_PASSWORD_FILE"):
        settings.database()


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo", b"\xff", b"x" * 5000])
def test_a_secret_file_holds_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="one line of text"):
        read_secret(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_secret_that_others_can_open_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s")
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 0600"):
        read_secret(path)
    path.chmod(0o600)
    assert read_secret(path) == "s"


def test_a_secret_that_is_changed_has_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text("new\nold\n")
    assert read_secret_lines(path, 2) == ("new", "old")
    path.write_text("a\nb\nc\n")
    with pytest.raises(SettingsError, match="one to 2 lines"):
        read_secret_lines(path, 2)


@pytest.mark.parametrize("value", ["*", "10.0.0.1/8", "proxy.example", "0.0.0.0/0", "::/0"])
def test_a_proxy_is_trusted_by_its_address_alone(value: str) -> None:
    with pytest.raises(SettingsError, match="BANDIAN_TRUSTED_PROXIES"):
        load_settings({"BANDIAN_TRUSTED_PROXIES": value})


def test_nobodys_forwarded_address_is_believed_unless_said() -> None:
    assert load_settings({}).trusted_proxies == ()
    read = load_settings({"BANDIAN_TRUSTED_PROXIES": "10.0.0.5, 10.1.0.0/16,fd00::/8"})
    assert read.trusted_proxies == ("10.0.0.5", "10.1.0.0/16", "fd00::/8")


def test_the_operators_calendar_codes_and_origins_are_read() -> None:
    read = load_settings(
        {
            "BANDIAN_CALENDAR": '{"2027-02-06": false, "2027-02-14": true}',
            "BANDIAN_CALENDAR_COMPLETE_YEARS": "2027,2028",
            "BANDIAN_TYPE_CODES": '{"business_licence": ["11100000000013127W001"]}',
            "BANDIAN_STATUS_ORIGINS": "https://status.example, https://crl.example:8443/",
        }
        | sources({"access_secret": "s", "kinds": ["business_licence"]})
    )
    assert read.calendar == {date(2027, 2, 6): False, date(2027, 2, 14): True}
    assert read.calendar_complete_years == (2027, 2028)
    assert read.type_codes == {"business_licence": ("11100000000013127W001",)}
    assert read.status_origins == ("https://status.example", "https://crl.example:8443")
    assert read.sources[0].kinds == {"business_licence"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALENDAR", '{"02-06": false}'),
        ("CALENDAR", '{"2027-02-06": "perhaps"}'),
        ("CALENDAR_COMPLETE_YEARS", "27"),
        ("TYPE_CODES", '{"business_licence": []}'),
        ("TYPE_CODES", '{"business_licence": ["../x"]}'),
        ("STATUS_ORIGINS", "https://status.example/lists"),
        ("STATUS_ORIGINS", "status.example"),
        ("WORKER_METRICS_PORT", "0"),
    ],
)
def test_what_is_no_calendar_code_or_origin_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"BANDIAN_{name}"):
        load_settings({f"BANDIAN_{name}": value})


def test_a_missing_secret_file_is_named() -> None:
    source = load_settings(sources({"access_secret_file": "/nowhere/secret"})).sources[0]
    with pytest.raises(SettingsError, match="/nowhere/secret"):
        source.secret()


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    missing = [name for name in Settings.model_fields if f"`BANDIAN_{name.upper()}" not in text]
    assert missing == []
