"""The control listener of a real process: who may do what, and what an attacker finds there."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.service import Service, running, wait_until, write_config

NOWHERE = [{"name": "nowhere", "kind": "openai", "base_url": "http://127.0.0.1:9/v1"}]
POOL = [{"provider": "nowhere", "model": "m", "boundary": "inside"}]
POLICY = "policy: first\norganisation: {sensitivity: public}\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("control")
    write_config(folder, providers=NOWHERE, models=POOL, policy=POLICY, auth="keys")
    with running(folder) as started:
        yield started


def ask(service: Service, method: str, path: str, body: object = None, secret: str | None = None) -> Any:
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return service.ask(method, path, body, headers, control=True)


def made_key(service: Service, name: str, **fields: object) -> dict[str, Any]:
    answer = ask(service, "POST", "/api/keys", {"name": name, **fields})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json()
    return made


def raw(url: str, request: bytes) -> bytes:
    """Send bytes as they are and return the first of the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def test_attack_29_the_first_start_makes_a_random_admin_secret_and_says_it_once(service: Service) -> None:
    assert service.admin_secret is not None
    assert len(service.admin_secret) > 40
    kept = b"".join(p.read_bytes() for p in service.folder.rglob("*") if p.is_file() and "serve.log" not in p.name)
    assert service.admin_secret.encode() not in kept


def test_attack_29_an_open_address_without_keys_is_refused(tmp_path: Path) -> None:
    write_config(tmp_path, providers=NOWHERE, models=POOL, auth="none", listen={"host": "0.0.0.0", "port": 0})
    from tests.support.service import run_cli

    done = run_cli(tmp_path, "serve", expect=2)
    assert "without keys only loopback" in done.stderr


def test_attack_28_the_data_plane_has_no_control_route(service: Service) -> None:
    for path in ("/api/keys", "/api/policy", "/api/audit", "/login", "/"):
        assert service.ask("GET", path).status == 404


def test_attack_28_the_control_listener_has_no_route_of_the_data_plane(service: Service) -> None:
    for path in ("/v1/models", "/v1/chat/completions", "/metrics", "/readyz"):
        assert b"Sign in" in service.ask("GET", path, control=True).body


def test_attack_28_the_control_listener_is_on_loopback_unless_told_otherwise(service: Service) -> None:
    assert urlsplit(service.control_url).hostname == "127.0.0.1"


def test_attack_3_every_control_route_asks_for_a_credential(service: Service) -> None:
    from trimtab.server.control import PUBLIC_ROUTES
    from trimtab.server.control.routes import all_routes

    for method, path in all_routes():
        if path in PUBLIC_ROUTES:
            continue
        body = None if method == "GET" else b"{}"
        answer = service.ask(method, re.sub(r"\{.*?\}", "x", path), body, {"authorization": ""}, control=True)
        if path.startswith("/api"):
            assert answer.status == 401, (method, path)
        else:
            assert b"Sign in" in answer.body, (method, path)


@pytest.mark.parametrize("route", ["/api/calls", "/api/keys", "/v1/chat/completions", "/nowhere", "/"])
@pytest.mark.parametrize("secret", ["' OR '1'='1", "tt-'; DROP TABLE keys;--", "%", "\\", "tt-" + "a" * 5000])
def test_attack_1_sql_in_the_credential_is_just_a_wrong_credential(service: Service, route: str, secret: str) -> None:
    control = not route.startswith("/v1")
    method = "GET" if control else "POST"
    answer = service.ask(method, route, None if control else {}, {"authorization": f"Bearer {secret}"}, control=control)
    assert answer.status in (401, 404) or b"Sign in" in answer.body
    assert b"sql" not in answer.body.lower()


@pytest.mark.parametrize("host", ["x/healthz?", "x?", "x#", "a@127.0.0.1", "evil.example", "127.0.0.1.evil.example"])
def test_attack_2_a_strange_host_header_is_refused(service: Service, host: str) -> None:
    head = f"GET /api/keys HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert raw(service.control_url, head).split(b" ", 2)[1] in (b"400", b"401")


def test_attack_4_a_key_makes_no_key_that_may_more_than_itself(service: Service) -> None:
    minor = made_key(
        service, "minor", app="shop", scopes=["keys:write", "inference"], models=["nowhere:*"], calls_per_minute=10
    )
    for wider in (
        {"scopes": ["admin"]},
        {"scopes": ["policy:write"]},
        {"scopes": ["inference"], "models": []},
        {"scopes": ["inference"], "models": ["*"]},
        {"scopes": ["inference"], "models": ["nowhere:m"], "calls_per_minute": 11},
        {"scopes": ["inference"], "models": ["nowhere:m"]},
        {"scopes": ["inference"], "models": ["nowhere:m"], "calls_per_minute": 5, "app": "other"},
    ):
        body = {"name": "child", "app": "shop", **wider}
        answer = ask(service, "POST", "/api/keys", body, minor["secret"])
        assert answer.status == 403, wider
    allowed = {"name": "child", "app": "shop", "scopes": ["inference"], "models": ["nowhere:m"], "calls_per_minute": 5}
    assert ask(service, "POST", "/api/keys", allowed, minor["secret"]).status == 201


def test_attack_5_a_key_changes_neither_itself_nor_unknown_fields(service: Service) -> None:
    minor = made_key(service, "self", app="shop", scopes=["keys:write"], calls_per_minute=10)
    own = f"/api/keys/{minor['key_id']}"
    assert ask(service, "PATCH", own, {"calls_per_minute": 9}, minor["secret"]).status == 403
    for field in ("app", "scopes", "role", "key_id", "parent"):
        assert ask(service, "PATCH", own, {field: "admin"}, minor["secret"]).status == 400


def test_attack_6_another_apps_calls_and_keys_are_not_found(service: Service) -> None:
    reader = made_key(service, "reader", app="other", scopes=["calls:read", "keys:read", "keys:write"])
    service.chat()  # by the app "default"; nobody answers, and the record is there all the same
    wait_until(lambda: ask(service, "GET", "/api/calls").json())
    foreign = ask(service, "GET", "/api/calls").json()[0]["call_id"]
    stranger = made_key(service, "stranger", app="shop")
    assert ask(service, "GET", "/api/calls", secret=reader["secret"]).json() == []
    assert ask(service, "GET", f"/api/calls/{foreign}", secret=reader["secret"]).status == 404
    assert ask(service, "DELETE", f"/api/keys/{stranger['key_id']}", secret=reader["secret"]).status == 404
    assert {k["app"] for k in ask(service, "GET", "/api/keys", secret=reader["secret"]).json()} == {"other"}


def test_attack_13_a_session_ends_with_sign_out_and_with_its_key(service: Service) -> None:
    admin = made_key(service, "second-admin", scopes=["admin"])
    cookie = sign_in(service, admin["secret"])
    assert page(service, cookie)[0] == 200
    service.ask("POST", "/logout", b"", {"cookie": cookie}, control=True)
    assert page(service, cookie)[0] == 303

    cookie = sign_in(service, admin["secret"])
    assert ask(service, "DELETE", f"/api/keys/{admin['key_id']}").status == 204
    assert page(service, cookie)[0] == 303


def test_attack_26_a_session_cookie_opens_no_api_route_and_is_strict(service: Service) -> None:
    assert service.admin_secret is not None
    cookie = sign_in(service, service.admin_secret)
    answer = service.ask("POST", "/api/policy/rollback", {}, {"cookie": cookie, "authorization": ""}, control=True)
    assert answer.status == 401


def test_attack_27_a_key_in_the_url_is_not_read(service: Service) -> None:
    answer = service.ask("GET", f"/api/keys?api_key={service.admin_secret}", None, {"authorization": ""}, control=True)
    assert answer.status == 401


def test_a_revoked_key_stops_working_within_a_second(service: Service) -> None:
    made = made_key(service, "short-lived")
    headers = {"authorization": f"Bearer {made['secret']}"}
    wait_until(lambda: service.ask("GET", "/v1/models", headers=headers).status == 200, timeout_s=1.0)
    ask(service, "DELETE", f"/api/keys/{made['key_id']}")
    wait_until(lambda: service.ask("GET", "/v1/models", headers=headers).status == 401, timeout_s=1.0)


def test_every_change_is_in_the_audit_log_and_the_chain_holds(service: Service) -> None:
    made = made_key(service, "audited")
    records = ask(service, "GET", "/api/audit").json()
    assert any(r["action"] == "key.create" and r["subject"] == made["key_id"] for r in records)
    assert made["secret"] not in json.dumps(records)
    assert ask(service, "GET", "/api/audit/verify").json()["is_intact"]


def sign_in(service: Service, secret: str) -> str:
    parts = urlsplit(service.control_url)
    body = f"secret={secret}".encode()
    head = (
        f"POST /login HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    answer = raw(service.control_url, head + body).decode()
    line = next(x for x in answer.splitlines() if x.lower().startswith("set-cookie:"))
    assert "httponly" in line.lower()
    assert "samesite=strict" in line.lower()
    return line.split(":", 1)[1].split(";")[0].strip()


def page(service: Service, cookie: str, path: str = "/") -> tuple[int, str]:
    parts = urlsplit(service.control_url)
    head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
        connection.sendall(head)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer.decode()


@pytest.mark.parametrize("length", [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3000000\r\n"])
def test_attack_15_a_body_without_a_length_or_too_large_is_refused_before_it_comes(
    service: Service, length: bytes
) -> None:
    host = urlsplit(service.control_url).netloc.encode()
    head = b"POST /login HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + length + b"\r\n"
    assert raw(service.control_url, head).split(b" ", 2)[1] in (b"400", b"413")


@pytest.mark.parametrize("path", ["/", "/calls", "/policy", "/audit"])
def test_each_page_renders_for_an_admin(service: Service, path: str) -> None:
    assert service.admin_secret is not None
    status, text = page(service, sign_in(service, service.admin_secret), path)
    assert status == 200
    assert "<h1>" in text
    assert "content-security-policy: default-src 'none'" in text.lower()
