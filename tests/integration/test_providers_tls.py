"""TLS to an upstream with a private authority: trusted when told to, refused otherwise, and never downgraded."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.providers import ask, provider_of

from trimtab.core.errors import ConfigurationError, UpstreamError


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for ``localhost``, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    done = subprocess.run(
        ["openssl", "req", *kind, *names, "-keyout", str(file), "-out", str(file) + ".cert"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    file.write_text(file.read_text() + Path(f"{file}.cert").read_text())
    return file


@pytest.fixture
def tls_upstream(certificate: Path) -> Iterator[MockUpstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with MockUpstream(tls=context, host="localhost") as mock:
        yield mock


async def test_a_configured_authority_is_trusted_and_the_connection_kept(
    tls_upstream: MockUpstream, certificate: Path
) -> None:
    async with provider_of("openai", base_url=f"{tls_upstream.url}/v1", ca_file=certificate) as provider:
        for _ in range(2):
            assert (await ask(provider, "m/0"))["usage"]["completion_tokens"] == 5
    assert [seen.connection for seen in tls_upstream.seen] == [1, 1]


async def test_an_unknown_authority_is_refused_before_the_key_is_sent(tls_upstream: MockUpstream) -> None:
    async with provider_of("openai", base_url=f"{tls_upstream.url}/v1") as provider:
        with pytest.raises(UpstreamError, match=r"certificate verify failed"):
            await ask(provider, "m")
    assert tls_upstream.seen == []


async def test_a_certificate_for_another_name_is_refused(tls_upstream: MockUpstream, certificate: Path) -> None:
    url = tls_upstream.url.replace("localhost", "127.0.0.1")
    async with provider_of("openai", base_url=f"{url}/v1", ca_file=certificate) as provider:
        with pytest.raises(UpstreamError, match=r"127\.0\.0\.1"):
            await ask(provider, "m")
    assert tls_upstream.seen == []


async def test_a_plain_server_behind_https_is_a_failed_connection(
    mock_upstream: MockUpstream, certificate: Path
) -> None:
    url = mock_upstream.url.replace("http://", "https://")
    async with provider_of("openai", base_url=f"{url}/v1", ca_file=certificate) as provider:
        with pytest.raises(UpstreamError, match="no connection to"):
            await ask(provider, "m")
    assert mock_upstream.seen == []


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
async def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem' cannot be used"):
        async with provider_of("openai", base_url="https://localhost:1", ca_file=file):
            pass
