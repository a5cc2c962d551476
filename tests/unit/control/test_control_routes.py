"""The control listener in one process: permissions, forms of answers, and what a stranger's bytes do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # the package has no stubs
import pytest
from starlette.testclient import TestClient
from tests.support.control_rig import NO_SMALL, POLICY, Rig, call, decided_call

from trimtab.core import Feedback
from trimtab.policy import Facts
from trimtab.server.control import PUBLIC_ROUTES, build_control_app
from trimtab.server.control.app import MAX_BODY_BYTES
from trimtab.server.control.routes import all_routes, permissions
from trimtab.store import FeedbackStore

SCRIPT = "<script>alert(1)</script>"
LIMITS = ["calls_per_minute", "tokens_per_minute", "usd_per_day", "usd_per_month"]
PAGES = ("/", "/calls", "/policy", "/audit", "/workloads/faq", "/calls/call_00000000000000000000000001")


@pytest.fixture
def admin(rig: Rig) -> Iterator[TestClient]:
    rig.apply(POLICY)
    rig.book(decided_call(1, facts=Facts(workload="faq", sensitivity=0)), call(2))
    secret = rig.key(scopes=("admin",)).secret
    headers = {"authorization": f"Bearer {secret}"}
    app = build_control_app(rig.desk, allowed_hosts=["testserver"])
    with TestClient(app, headers=headers, follow_redirects=False, raise_server_exceptions=False) as client:
        client.post("/login", data={"secret": secret})
        yield client


def bearer(rig: Rig, **fields: object) -> dict[str, str]:
    return {"authorization": f"Bearer {rig.key(**fields).secret}"}


def test_attack_3_every_route_that_is_not_public_names_a_permission() -> None:
    without = {route.path for route, permission in permissions().items() if permission is None}

    assert without == PUBLIC_ROUTES
    assert {p for route, p in permissions().items() if route.path.startswith("/api")} & {None, "page"} == set()


@pytest.mark.parametrize("route", [r for r in all_routes() if r.path not in PUBLIC_ROUTES], ids=str)
def test_attack_3_no_route_answers_a_stranger(admin: TestClient, route: Any) -> None:
    admin.cookies.clear()

    answer = admin.request(route.method, re.sub(r"\{.*?\}", "x", route.path), headers={"authorization": ""})

    assert answer.status_code == (401 if route.path.startswith("/api") else 303)
    assert b"faq" not in answer.content


@pytest.mark.parametrize("route", [r for r, p in permissions().items() if p not in (None, "page", "any")], ids=str)
def test_attack_3_a_key_without_the_permission_gets_nowhere(admin: TestClient, rig: Rig, route: Any) -> None:
    needed = permissions()[route]
    others = tuple(p for p in set(permissions().values()) if p not in (None, "page", "any", needed))
    body = {"text": "x", "name": "x"} if route.method in ("POST", "PATCH") else None

    path = re.sub(r"\{.*?\}", "x", route.path)
    answer = admin.request(route.method, path, json=body, headers=bearer(rig, app="shop", scopes=others))

    assert answer.status_code == 403, answer.content
    assert answer.json()["error"]["code"] == "permission_denied"


def test_every_api_answer_has_the_shape_the_document_says(admin: TestClient, rig: Rig) -> None:
    document = admin.get("/api/openapi.json").json()
    paths = {
        "/api/calls": "/api/calls",
        "/api/calls/{call_id}": "/api/calls/call_00000000000000000000000001",
        "/api/workloads": "/api/workloads",
        "/api/workloads/{name}": "/api/workloads/faq",
        "/api/days": "/api/days",
        "/api/models": "/api/models",
        "/api/policy": "/api/policy",
        "/api/policy/versions": "/api/policy/versions",
        "/api/keys": "/api/keys",
        "/api/audit": "/api/audit",
        "/api/audit/verify": "/api/audit/verify",
    }
    assert set(paths) == {path for path, found in document["paths"].items() if "get" in found} - {"/api/openapi.json"}
    for path, filled in paths.items():
        answer = admin.get(filled)
        assert answer.status_code == 200, (filled, answer.content)
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


def test_the_document_names_permission_and_answer_of_every_operation(admin: TestClient) -> None:
    document = admin.get("/api/openapi.json").json()

    for path, found in document["paths"].items():
        for method, operation in found.items():
            assert operation["x-permission"] == permissions()[(method.upper(), path)]  # type: ignore[index]
            assert "default" in operation["responses"]
            assert "422" not in operation["responses"]


def test_a_policy_is_checked_compared_applied_and_rolled_back_over_http(admin: TestClient) -> None:
    body = {"text": NO_SMALL, "origin": "new.yaml"}

    assert admin.post("/api/policy/lint", json=body).json()["findings"] == []
    assert admin.post("/api/policy/diff", json=body).json()["decisions"]["n_calls"] == 2
    assert admin.post("/api/policy/apply", json=body).json()["is_new"] is True
    assert admin.get("/api/policy").json()["name"] == "second"
    assert admin.post("/api/policy/rollback", json={}).json()["name"] == "first"
    assert admin.get("/api/audit").json()[0]["action"] == "policy.rollback"


def test_promise_5_a_bad_policy_is_refused_over_http_with_line_and_reason(admin: TestClient) -> None:
    answer = admin.post("/api/policy/apply", json={"text": "policy: x\nnonsense: 1\n", "origin": "new.yaml"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "policy_invalid"
    assert "new.yaml:2: unknown key 'nonsense'" in answer.json()["error"]["message"]
    assert admin.get("/api/policy").json()["name"] == "first"


def test_attack_5_no_field_beyond_the_limits_of_a_key_can_be_sent(admin: TestClient, rig: Rig) -> None:
    key = rig.key()
    for field in ("app", "scopes", "models", "name", "key_id", "parent_key_id", "secret", "expires_at_us", "role"):
        answer = admin.patch(f"/api/keys/{key.key_id}", json={field: "admin"})
        assert answer.status_code == 400
        assert field in answer.json()["error"]["message"]
    null = admin.patch(f"/api/keys/{key.key_id}", json={"calls_per_minute": None})
    assert null.json()["calls_per_minute"] is None


def test_attack_7_a_policy_runs_no_command_and_no_template(admin: TestClient, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    texts = (
        f"policy: !!python/object/apply:os.system ['touch {marker}']\n",
        f"policy: p\nrules:\n  - {{id: r, when: \"__import__('os').system('touch {marker}')\", then: {{}}}}\n",
        "policy: \"{{ ''.__class__.__mro__ }}\"\n",
        f"policy: p\ninclude: {marker}\n",
    )
    for text in texts:
        for path in ("/api/policy/lint", "/api/policy/diff", "/api/policy/apply"):
            assert admin.post(path, json={"text": text}).status_code == 400, text
    assert not marker.exists()
    assert admin.get("/policy").status_code == 200


def test_attack_8_a_request_has_a_closed_list_of_fields_and_none_is_code_or_an_address(admin: TestClient) -> None:
    document = admin.get("/api/openapi.json").json()
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for found in document["paths"].values()
        for operation in found.values()
        if "requestBody" in operation
    }
    schemas = {name: document["components"]["schemas"][name] for name in bodies}

    assert {name: sorted(schema["properties"]) for name, schema in schemas.items()} == {
        "PolicyText": ["origin", "text"],
        "RollbackBody": ["version"],
        "NewKey": sorted([*LIMITS, "app", "expires_in_days", "models", "name", "scopes", "sensitivity"]),
        "ChangedKey": LIMITS,
    }
    assert all(schema["additionalProperties"] is False for schema in schemas.values())


@pytest.mark.parametrize(
    "path",
    [
        "/api/calls?workload=%25",
        "/api/calls?workload=_aq",
        "/api/calls?model=local%3A%25",
        "/api/calls?status=o%25",
        "/calls.json?workload=f%25",
    ],
)
def test_attack_14_a_wildcard_in_a_search_is_a_letter(admin: TestClient, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"name":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"name":"x","calls_per_minute":' + b"9" * 5_000 + b"}",
        b'{"name":"x","calls_per_minute":99999999999999999999}',
        b'{"name":"x","calls_per_minute":1e400}',
        b'{"name":"x","usd_per_day":"1e9"}',
        b'{"name":"x","usd_per_day":"' + b"9" * 100 + b'"}',
        b'{"name":"x","expires_in_days":99999999999}',
        b'{"name":"\\u0000\\ud800"}',
        b"\xff\xfe",
        b"",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_attack_14_deep_json_and_huge_numbers_are_refused(admin: TestClient, rig: Rig, body: bytes) -> None:
    answer = admin.post("/api/keys", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert "error" in answer.json()
    assert len(rig.desk.keys.list_for(rig.me)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\n"
        + "\n".join(f"b{n}: &b{n} [{', '.join(['*a' if n == 0 else f'*b{n - 1}'] * 9)}]" for n in range(9)),
        "policy: " + "[" * 5_000,
        "policy: p\n" + "x" * 999_000 + ": 1\n",
    ],
    ids=["aliases", "nesting", "long key"],
)
def test_attack_14_a_policy_that_blows_up_is_refused(admin: TestClient, text: str) -> None:
    answer = admin.post("/api/policy/lint", json={"text": text})

    assert answer.status_code == 400
    assert len(answer.content) < 5_000


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1e9", "x", "9" * 5000])
def test_attack_14_an_answer_has_at_most_a_thousand_rows(admin: TestClient, limit: str) -> None:
    for path in ("/api/calls", "/api/audit", "/calls.json"):
        assert admin.get(path, params={"limit": limit}).status_code == 400


def test_attack_15_a_large_or_unannounced_body_is_refused_before_it_is_read(admin: TestClient) -> None:
    large = admin.post("/api/policy/lint", content=b"x" * (MAX_BODY_BYTES + 1))
    pieces = admin.post("/api/policy/lint", content=iter([b'{"text":', b'"policy: p"}']))

    assert (large.status_code, pieces.status_code) == (413, 400)
    assert "Content-Length" in pieces.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/login", "/logout", "/api/policy/rollback"])
def test_attack_26_another_sites_form_is_refused(admin: TestClient, path: str) -> None:
    answer = admin.post(path, content=b"{}", headers={"origin": "https://evil.example"})

    assert answer.status_code == 403
    assert admin.get("/").status_code == 200  # still signed in


def test_attack_26_a_session_opens_no_api_route(admin: TestClient) -> None:
    for route in all_routes():
        if route.path.startswith("/api"):
            path = re.sub(r"\{.*?\}", "x", route.path)
            assert admin.request(route.method, path, headers={"authorization": ""}).status_code == 401


@pytest.mark.parametrize("name", ["key", "api_key", "token", "access_token"])
def test_attack_27_a_key_in_the_url_is_refused_even_beside_a_good_one(admin: TestClient, rig: Rig, name: str) -> None:
    answer = admin.get("/api/keys", params={name: rig.key().secret})
    assert answer.status_code == 401


@pytest.mark.parametrize("forge", ["", "x", "x.y.z", "key.9999999999.aa.bb", "ä.9.9.9", "." * 50])
def test_attack_13_a_forged_cookie_opens_nothing(admin: TestClient, forge: str) -> None:
    admin.cookies.clear()
    answer = admin.get("/", headers={b"cookie": f"trimtab_session={forge}".encode()})
    assert answer.status_code == 303


def test_attack_13_a_session_ends_by_itself_after_eight_hours(admin: TestClient, rig: Rig) -> None:
    rig.clock.wall_us += 8 * 3600 * 1_000_000 - 1
    assert admin.get("/").status_code == 200
    rig.clock.wall_us += 1
    assert admin.get("/").status_code == 303


def test_attack_13_only_an_admin_may_sign_in(admin: TestClient, rig: Rig) -> None:
    admin.cookies.clear()
    for secret in (rig.key(scopes=("calls:read", "audit:read")).secret, "wrong", ""):
        answer = admin.post("/login", data={"secret": secret})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert not secret or secret not in answer.text


def test_attack_19_text_of_callers_is_shown_and_never_run(admin: TestClient, rig: Rig) -> None:
    rig.book(call(9, workload=SCRIPT, model=SCRIPT, requested_model=SCRIPT, error_code=SCRIPT, status="error"))
    judged = Feedback(call_id=call(9).call.call_id, at_us=1, source=SCRIPT, score_fraction=0.5, comment=SCRIPT)
    assert FeedbackStore(rig.database).add(judged, "default")

    for path in ("/", "/calls", f"/calls/{judged.call_id}", "/calls?workload=%22%3E" + SCRIPT):
        shown = admin.get(path)
        assert shown.status_code == 200
        assert "<script" not in shown.text
        assert "script-src" not in shown.headers["content-security-policy"]
        assert shown.headers["content-security-policy"].startswith("default-src 'none'")


def test_attack_19_a_formula_in_a_csv_is_text(admin: TestClient, rig: Rig) -> None:
    rig.book(call(9, workload="=HYPERLINK(1)", model="+1:@x"))

    for path in ("/workloads.csv", "/calls.csv"):
        text = admin.get(path).text
        assert "'=HYPERLINK(1)" in text
        assert ",=" not in text
        assert "\n=" not in text


def test_promise_6_the_tables_of_a_page_carry_the_same_sums(admin: TestClient, rig: Rig) -> None:
    rig.book(*(call(n, cost_nano_usd=n * 1_111) for n in range(10, 30)))

    rows = admin.get("/workloads.csv").text.splitlines()
    cost = rows[0].split(",").index("cost_nano_usd")

    total = sum(int(row.split(",")[cost]) for row in rows[1:])
    assert total == sum(row["cost_nano_usd"] for row in admin.get("/workloads.json").json())
    assert total == sum(row["cost_nano_usd"] for row in admin.get("/days.json").json())
    assert total == sum(n * 1_111 for n in range(10, 30)) + 2 * 1_000_000


def test_the_overview_does_not_add_imported_calls_to_the_gateways_unless_asked(admin: TestClient) -> None:
    assert "<b>1</b><span>calls through the gateway</span>" in admin.get("/").text
    assert "<b>2</b><span>calls recorded</span>" in admin.get("/?source=all").text
    for query, n_calls in (("?source=gateway", 1), ("", 2)):
        assert sum(row["n_calls"] for row in admin.get(f"/workloads.json{query}").json()) == n_calls
        assert sum(row["n_calls"] for row in admin.get(f"/days.json{query}").json()) == n_calls


def test_of_many_workloads_the_overview_shows_the_largest_and_says_so(admin: TestClient, rig: Rig) -> None:
    rig.book(*(call(100 + n, workload=f"w{n}") for n in range(30)))

    page = admin.get("/?source=all").text

    assert "The 25 with most calls, of 31." in page
    assert len(admin.get("/workloads.json").json()) == 31


def test_a_wrong_query_is_answered_in_the_form_of_its_page(admin: TestClient) -> None:
    page, table = admin.get("/calls?limit=0"), admin.get("/calls.json?limit=0")

    assert (page.status_code, table.status_code) == (400, 400)
    assert "<h1>" in page.text
    assert "limit" in table.json()["error"]["message"]


def test_a_browser_names_the_origin_of_our_own_forms(admin: TestClient) -> None:
    # Under "no-referrer" it would send `Origin: null`, and signing in would be refused as another site's form.
    assert admin.get("/login").headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_renders_with_security_headers_and_without_scripts(admin: TestClient, path: str) -> None:
    page = admin.get(path)

    assert page.status_code == 200, page.text
    assert "<h1>" in page.text
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?://", page.text)
    for name in ("content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"):
        assert name in page.headers
    assert page.headers["cache-control"] == "no-store"


def test_every_link_of_every_page_leads_somewhere(admin: TestClient) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = admin.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            found = {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', answer.text)}
            waiting += found - seen - set(waiting)
    assert {"/days.csv", "/models.json", "/policy.csv", "/audit.json", "/workloads/faq/candidates.csv"} <= seen


def test_a_page_that_is_not_there_says_so_in_words(admin: TestClient) -> None:
    for path in ("/nowhere", "/calls/call_x", "/workloads/none-such"):
        page = admin.get(path)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "That did not work" in page.text
    assert admin.get("/calls/call_x.json").json()["error"]["code"] == "not_found"
    assert admin.get("/api/nowhere").json()["error"]["code"] == "not_found"


def test_a_wrong_method_is_answered_in_the_common_form(admin: TestClient) -> None:
    answer = admin.put("/api/keys", content=b"{}")

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "invalid_request"


def test_a_bug_says_nothing_of_itself(admin: TestClient, rig: Rig) -> None:
    rig.desk.models = lambda: [1 // 0]  # type: ignore[method-assign, list-item]

    answer = admin.get("/api/models")

    assert answer.status_code == 500
    assert "division" not in json.dumps(answer.json())
    assert "content-security-policy" in answer.headers


def test_the_stylesheet_is_sent_once(admin: TestClient) -> None:
    first = admin.get("/static/style.css")
    again = admin.get("/static/style.css", headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_an_empty_installation_says_what_to_do_next(rig: Rig) -> None:
    secret = rig.key(scopes=("admin",)).secret
    with TestClient(build_control_app(rig.desk, allowed_hosts=["testserver"])) as client:
        text = client.post("/login", data={"secret": secret}).text

    assert "No policy is in force" in text
    assert "trimtab policy apply" in text
    assert "trimtab calls import" in text
