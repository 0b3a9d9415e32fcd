"""A token is read only from where nobody else can read it, and never shown."""

from pathlib import Path

import pytest

from exchange.client.errors import NotPrivate
from exchange.client.retry import Retry, asked_wait
from exchange.client.token import checked_url, read_token


def token_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_private_file_gives_its_token(tmp_path: Path) -> None:
    assert read_token(token_file(tmp_path, "secret-token\n")) == "secret-token"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(NotPrivate, match="chmod 600") as caught:
        read_token(token_file(tmp_path, "secret-token", mode))
    assert "secret-token" not in str(caught.value)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(token_file(tmp_path, "secret-token"))
    with pytest.raises(NotPrivate):
        read_token(link)


@pytest.mark.parametrize("text", ["", "\n", "two words", "line\nbreak", "Ж", "x" * 5000])
def test_what_is_no_token_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotPrivate) as caught:
        read_token(token_file(tmp_path, text))
    assert not text.strip() or text not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotPrivate, match="nowhere"):
        read_token(tmp_path / "nowhere")


@pytest.mark.parametrize("url", ["https://node.example", "http://127.0.0.1:8480", "http://localhost", "http://[::1]:1"])
def test_https_and_plain_http_on_this_machine_are_accepted(url: str) -> None:
    assert str(checked_url(url)).startswith(url)


def test_waits_grow_to_their_bound_and_respect_what_the_node_asks() -> None:
    retry = Retry(attempts=9, first_wait=1, longest_wait=30)
    assert all(0.5 <= retry.wait(1) <= 1 for _ in range(50))
    assert all(4 <= retry.wait(4) <= 8 for _ in range(50))
    assert 15 <= retry.wait(1000) <= 30
    assert retry.wait(1, asked=20) == 20
    assert retry.wait(1, asked=9999) == 30


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("7", 7), ("0", 0), ("Wed, 21 Oct", None), ("-1", None), ("9" * 9, None)]
)
def test_retry_after_is_read_as_seconds_or_not_at_all(header: str | None, seconds: float | None) -> None:
    assert asked_wait(header) == seconds
