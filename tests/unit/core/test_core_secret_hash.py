import hashlib

from trimtab.core.secret_hash import secret_digest


def test_attack_12_a_secret_is_hashed_whole_and_keyed_with_the_pepper() -> None:
    assert secret_digest(b"pepper", "tt-x") == hashlib.blake2b(b"tt-x", key=b"pepper", digest_size=32).hexdigest()
    assert secret_digest(b"pepper", "tt-x") != secret_digest(b"salt", "tt-x")


def test_a_secret_of_any_bytes_has_a_digest() -> None:
    assert len(secret_digest(b"pepper", b"\xff\x00".decode("utf-8", "surrogateescape"))) == 64
