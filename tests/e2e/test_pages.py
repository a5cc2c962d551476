"""The pages of a running service, as a browser would fetch them, over calls that went through the gateway."""

import http.client
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, mock_config, running, wait_until

POLICY = "policy: first\norganisation: {sensitivity: public}\n"
N_CALLS = 12


@dataclass
class Browser:
    """Keeps the session cookie, and names its origin with a form as the last page's referrer policy lets it."""

    service: Service
    cookie: str = ""
    referrer_policy: str = ""

    def fetch(self, method: str, path: str, body: str = "") -> tuple[int, dict[str, str], str]:
        parts = urlsplit(self.service.control_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
        headers = {"cookie": self.cookie, "content-type": "application/x-www-form-urlencoded"}
        if method == "POST":
            headers["origin"] = "null" if self.referrer_policy == "no-referrer" else self.service.control_url
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        text, found = answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        self.referrer_policy = found["referrer-policy"]
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].split(";")[0]
        return answer.status, found, text

    def get(self, path: str) -> str:
        status, _, text = self.fetch("GET", path)
        assert status == 200, (path, status, text)
        return text


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    with MockUpstream() as upstream:
        mock_config(folder, upstream.url, [{"model": "good"}, {"model": "echo"}], policy=POLICY)
        with running(folder) as started:
            for number in range(N_CALLS):
                headers = {"x-trimtab-workload": f"w{number % 3}"}
                assert started.chat(("mock:good", "mock:echo")[number % 2], headers=headers).status == 200
            wait_until(lambda: len(started.ask("GET", "/api/calls", control=True).json()) == N_CALLS)
            yield started


@pytest.fixture
def browser(service: Service) -> Browser:
    browser = Browser(service)
    browser.get("/login")
    status, headers, _ = browser.fetch("POST", "/login", urlencode({"secret": service.admin_secret}))
    assert (status, headers["location"]) == (303, "/")
    return browser


def test_promise_6_the_pages_totals_equal_a_sum_over_the_journal_to_the_cent(
    service: Service, browser: Browser
) -> None:
    with sqlite3.connect(service.folder / "data/trimtab.db") as journal:
        n_calls, cost = journal.execute("SELECT count(*), sum(cost_nano_usd) FROM calls").fetchone()
        by_workload = dict(journal.execute("SELECT workload, sum(cost_nano_usd) FROM calls GROUP BY 1").fetchall())
    journal.close()

    facts = re.search(r"<b>([\d,]+)</b><span>calls recorded</span>.*?<b>\$([\d.,]+)</b>", browser.get("/"), re.DOTALL)
    workloads: list[dict[str, Any]] = service.ask("GET", "/api/workloads", control=True).json()

    assert facts is not None
    assert int(facts[1]) == n_calls >= N_CALLS
    assert float(facts[2]) == pytest.approx(cost / 1e9, rel=1e-3)  # four significant digits below a dollar
    assert {row["workload"]: row["cost_nano_usd"] for row in workloads} == by_workload


def test_s18_each_calls_page_shows_inputs_candidates_and_that_the_record_replays(browser: Browser) -> None:
    links = set(re.findall(r'href="(/calls/call_[0-9a-z]+)"', browser.get("/calls")))
    assert len(links) >= N_CALLS
    for link in sorted(links)[:3]:
        text = browser.get(link)
        for part in ("task type", "sensitivity", "latency target", "cost budget", "Who could serve", "chosen", "mock:"):
            assert part in text
        assert re.search(r"<b>yes</b><span>the record alone replays", text)


def test_every_link_from_the_overview_answers(browser: Browser) -> None:
    links = set(re.findall(r'href="([^"]+)"', browser.get("/")))
    assert {"/workloads.json", "/workloads.csv", "/days.csv", "/models.json", "/calls.csv", "/workloads/w1"} <= links
    for link in links:
        browser.get(link)


def test_promise_5_a_bad_policy_file_is_shown_with_its_line_while_the_old_one_serves(
    service: Service, browser: Browser
) -> None:
    path = service.folder / "policy.yaml"
    path.write_text("policy: second\norganisation: {sensitivty: public}\n")
    try:
        wait_until(lambda: "policy.yaml:2" in browser.get("/"), timeout_s=5)
        assert "unknown key" in browser.get("/policy")
        answer = service.chat("mock:good")
        assert answer.status == 200
        wait_until(lambda: browser.fetch("GET", f"/calls/{answer.headers['x-trimtab-call-id']}")[0] == 200)
        assert "<b>first</b>" in browser.get("/policy")
    finally:
        path.write_text(POLICY)
        wait_until(lambda: "was refused" not in browser.get("/"), timeout_s=5)


def test_a_changed_policy_file_is_in_force_within_a_second(service: Service, browser: Browser) -> None:
    path = service.folder / "policy.yaml"
    path.write_text(POLICY.replace("first", "renamed"))
    try:
        wait_until(lambda: "<b>renamed</b>" in browser.get("/policy"), timeout_s=1)
    finally:
        path.write_text(POLICY)
        wait_until(lambda: "<b>first</b>" in browser.get("/policy"), timeout_s=5)


def test_attack_13_a_visitor_without_a_session_sees_the_sign_in_form_only(service: Service) -> None:
    stranger = Browser(service)
    for path in ("/", "/calls", "/calls.csv", "/workloads.json", "/policy", "/audit", "/nowhere"):
        status, headers, text = stranger.fetch("GET", path)
        assert (status, headers["location"], text) == (303, "/login", "")


def test_attack_13_signing_out_ends_the_session_wherever_its_cookie_was_copied(
    service: Service, browser: Browser
) -> None:
    copied = Browser(service, browser.cookie)
    assert copied.fetch("GET", "/")[0] == 200
    browser.fetch("POST", "/logout")
    assert copied.fetch("GET", "/")[0] == 303
