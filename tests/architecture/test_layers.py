"""Import rules that the contracts in pyproject.toml cannot say, over the same import graph."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("exchange", "keys", "schemas")
CORES = (
    "exchange.*.core",
    "exchange.audit.*",
    "exchange.consent.*",
    "exchange.delivery.*",
    "exchange.node.checkup",
    "exchange.node.checkup_facts",
    "exchange.node.following",
    "exchange.node.inbound",
    "exchange.node.outbound",
    "exchange.node.watch",
    "exchange.records.*",
    "exchange.relay.admission",
    "exchange.relay.effects",
    "exchange.relay.tlog_core",
    "exchange.relay.tlog_panel",
)
PURE = ("keys.*", "schemas.*", "exchange.convert.*", *CORES)
# What touches a key file, and the libraries' own randomness.
IMPURE = ("keys.keystore", "keys.mortal", "keys.primitives", "keys.timestamp", "keys.token")
INPUT_AND_OUTPUT = (
    "aiohttp",
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "tempfile",
    "threading",
    "time",
)
CLOCK_AND_CHANCE = {"getrandom", "now", "today", "urandom", "utcnow", "uuid1", "uuid4"}
RELAY_KEYS = tuple(
    f"keys.{name}"
    for name in (
        "charter",
        "checkpoint",
        "cosign",
        "digests",
        "directory",
        "errors",
        "hybrid",
        "lines",
        "merkle",
        "nodelog",
        "note",
        "origin",
        "policy",
        "proof",
        "quorum",
        "tiles",
        "verify",
        "view",
        "witness",
    )
)
SECRET_KEYS = (
    "keys.ceremony",
    "keys.identity",
    "keys.keystore",
    "keys.logsigner",
    "keys.mortal",
    "keys.sealing",
    "keys.token",
    "keys.vault",
)


def matches(module: str, patterns: tuple[str, ...]) -> bool:
    """Whether `module`, or a package that it lies in, is named by one of the patterns."""
    parents = [module.rsplit(".", level)[0] for level in range(module.count(".") + 1)]
    return any(fnmatchcase(name, pattern) for name in parents for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Rule:
    """Modules `who` (less `but_not`) import nothing of `forbidden` (less `allowed`); `example` breaks it."""

    name: str
    who: tuple[str, ...]
    forbidden: tuple[str, ...]
    example: tuple[str, str]
    but_not: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    def breaches(self, imports: Mapping[str, frozenset[str]]) -> list[str]:
        """Each import that the rule refuses, as `importer imports imported`."""
        return [
            f"{importer} imports {imported}"
            for importer, targets in sorted(imports.items())
            if matches(importer, self.who) and not matches(importer, self.but_not)
            for imported in sorted(targets)
            if matches(imported, self.forbidden) and not matches(imported, self.allowed)
        ]


RULES = (
    Rule(
        "one module touches the cryptographic libraries",
        who=PACKAGES,
        but_not=("keys.primitives",),
        forbidden=("nacl", "cryptography"),
        example=("keys.verify", "nacl"),
    ),
    Rule(
        "one other module touches the driver of tokens",
        who=PACKAGES,
        but_not=("keys.token",),
        forbidden=("pkcs11",),
        example=("exchange.wiring.custody", "pkcs11"),
    ),
    Rule(
        "one other module touches time-stamps",
        who=PACKAGES,
        but_not=("keys.timestamp",),
        forbidden=("rfc3161_client",),
        example=("exchange.node.stamping", "rfc3161_client"),
    ),
    Rule(
        "pure modules do no input or output and know no clock",
        who=PURE,
        but_not=IMPURE,
        forbidden=(*INPUT_AND_OUTPUT, "keys.keystore", "keys.mortal", "keys.token"),
        example=("exchange.relay.core", "time"),
    ),
    Rule(
        "cores use no engine, no shell and no command",
        who=CORES,
        forbidden=("exchange",),
        allowed=(*CORES, "exchange.errors", "exchange.relay.limits"),
        example=("exchange.consent.authorise", "exchange.storage.port"),
    ),
    Rule(
        "the relay can verify and has no use for secrets",
        who=("exchange.relay",),
        forbidden=("keys.*",),
        allowed=RELAY_KEYS,
        example=("exchange.relay.app", "keys.sealing"),
    ),
    Rule(
        "engines hold bytes: no keys, no shells",
        who=("exchange.storage", "exchange.convert"),
        forbidden=("keys", "exchange"),
        # The rules of what may move where are the cores'; an engine asks them inside its transaction.
        allowed=(
            "exchange.storage",
            "exchange.convert",
            "exchange.errors",
            "exchange.audit.pruned",
            "exchange.audit.reconcile",
            "exchange.delivery.*",
            "exchange.consent.four_eyes",
        ),
        example=("exchange.storage.sqlite", "exchange.relay.core"),
    ),
    Rule(
        "shells are given their engine",
        who=("exchange.relay", "exchange.node"),
        forbidden=("exchange.storage.*",),
        allowed=(
            "exchange.storage.port",
            "exchange.storage.act_port",
            "exchange.storage.anchor_port",
            "exchange.storage.audit_port",
            "exchange.storage.consent_port",
            "exchange.storage.group_port",
            "exchange.storage.head_port",
            "exchange.storage.log_port",
            "exchange.storage.joint_port",
            "exchange.storage.node_port",
            "exchange.storage.node_values",
            "exchange.storage.opening_port",
            "exchange.storage.refusal_port",
            "exchange.storage.refused_port",
            "exchange.storage.request_port",
            "exchange.storage.resend_port",
            "exchange.storage.trust_port",
            "exchange.storage.withdrawal_port",
        ),
        example=("exchange.node.app", "exchange.storage.sqlite"),
    ),
    Rule(
        "the console knows a node by its interface only",
        who=("exchange.console",),
        forbidden=PACKAGES,
        allowed=("exchange.console", "exchange.client"),
        example=("exchange.console.views", "exchange.node.app"),
    ),
    Rule(
        "the client stands alone",
        who=("exchange.client",),
        forbidden=PACKAGES,
        allowed=("exchange.client",),
        example=("exchange.client.models", "schemas.ids"),
    ),
)


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


@cache
def imports() -> dict[str, frozenset[str]]:
    built = graph()
    return {module: frozenset(built.find_modules_directly_imported_by(module)) for module in ours()}


def ours() -> list[str]:
    return sorted(module for module in graph().modules if matches(module, PACKAGES))


def pure_files() -> Iterator[Path]:
    for module in ours():
        if matches(module, PURE) and not matches(module, IMPURE):
            stem = ROOT.joinpath(*module.split("."))
            yield stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")


def reads_outside(tree: ast.AST) -> list[str]:
    """Calls in `tree` that read the clock, chance or a file without any import that would show it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) if name in CLOCK_AND_CHANCE:
                    found.append(f"line {node.lineno}: {name}()")
                case ast.Name(id="open" | "input" as name):
                    found.append(f"line {node.lineno}: {name}()")
    return found


def test_the_graph_holds_the_packages() -> None:
    assert {"keys", "schemas", "schemas.canon", "exchange"} <= set(ours())
    assert "msgpack" in imports()["schemas.canon"]


def test_the_contracts_of_pyproject_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name.replace(" ", "-"))
def test_no_module_breaks_the_rule(rule: Rule) -> None:
    importer, imported = rule.example
    assert rule.breaches({importer: frozenset({imported})}) == [f"{importer} imports {imported}"]
    assert rule.breaches(imports()) == []


def test_what_the_relay_may_import_reaches_no_secret_either() -> None:
    built = graph()
    for module in RELAY_KEYS:
        if module in built.modules:
            assert [m for m in built.find_upstream_modules(module) if matches(m, SECRET_KEYS)] == [], module


@pytest.mark.parametrize("source", ["datetime.now(tz=UTC)", "uuid.uuid4()", "open('x')", "date.today()"])
def test_a_hidden_read_is_seen(source: str) -> None:
    assert len(reads_outside(ast.parse(source))) == 1


def test_pure_modules_read_nothing_from_outside() -> None:
    files = list(pure_files())
    assert files
    found = {path.name: reads_outside(ast.parse(path.read_text("utf-8"))) for path in files}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_importing_the_client_loads_no_cryptography() -> None:
    for module in (name for name in ours() if matches(name, ("exchange.client",))):
        program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        loaded = {name.split(".")[0] for name in run.stdout.split()}
        assert "exchange" in loaded
        assert loaded.isdisjoint({"keys", "schemas", "nacl", "cryptography"}), module
