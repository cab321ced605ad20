"""Findings in SARIF 2.1.0, for code review tools and pipelines.

One run; every code of the registry is a rule of its driver; every finding is a result at its line
of the .apt file; a file that could not be checked is a notification of the run's invocation.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from aptdither.findings import Finding
from aptdither.report.check import CheckedFile
from aptdither.report.sanitize import safe_line, utf8_text
from aptdither.review.rules import RULES
from aptdither.version import __version__

VERSION = "2.1.0"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_log(files: Iterable[CheckedFile]) -> dict[str, Any]:
    """Return the findings of files, in the order of the run, as a SARIF log."""
    results: list[dict[str, Any]] = []
    notifications: list[dict[str, Any]] = []
    artifacts: list[dict[str, Any]] = []
    for index, checked in enumerate(files):
        uri = artifact_uri(checked.path)
        artifact: dict[str, Any] = {"location": {"uri": uri}, "mimeType": "text/xml"}
        if checked.sha256 is not None:
            artifact["hashes"] = {"sha-256": checked.sha256}
        artifacts.append(artifact)
        location = {"artifactLocation": {"uri": uri, "index": index}}
        if checked.error is not None:
            notifications.append(
                {
                    "level": "error",
                    "message": _text(checked.error),
                    "locations": [{"physicalLocation": location}],
                }
            )
        seen: Counter[str] = Counter()
        results.extend(_result(finding, location, seen) for finding in checked.findings)
    rules = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.explanation},
            "help": {"text": f"{rule.explanation}\n\nSource: {rule.source}"},
            "defaultConfiguration": {"level": str(rule.severity)},
        }
        for rule in RULES.values()
    ]
    driver = {"name": "aptdither", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not notifications,
                "toolExecutionNotifications": notifications,
            }
        ],
        "artifacts": artifacts,
        "results": results,
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def artifact_uri(path: str) -> str:
    """Return a file's name as a URI reference: relative names stay relative."""
    pure = PurePath(path)
    try:
        name = pure.as_posix().encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a name that no file can have
        name = utf8_text(pure.as_posix()).encode()
    text = quote(name, safe="/:@!$&'()*+,;=~")
    if pure.is_absolute():
        return f"file://{text if text.startswith('/') else f'/{text}'}"
    # A colon in the first segment would read as a scheme; "./" before it does not.
    return f"./{text}" if ":" in text.split("/")[0] else text


def _result(finding: Finding, location: dict[str, Any], seen: Counter[str]) -> dict[str, Any]:
    region = {} if finding.line is None else {"region": {"startLine": finding.line}}
    where: dict[str, Any] = {"physicalLocation": location | region}
    parts = [
        (name, utf8_text(safe_line(value)))
        for name, value in (("visit", finding.visit), ("exposure", finding.exposure))
        if value is not None
    ]
    if parts:
        name = "/".join(f"{name} {value}" for name, value in parts)
        where["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "element"}]
    # The place in the proposal and the code stay the same while lines move.
    identity = "/".join((finding.code, *(f"{name}={value}" for name, value in parts)))
    seen[identity] += 1
    fingerprint = hashlib.sha256(f"{identity}#{seen[identity]}".encode()).hexdigest()[:32]
    return {
        "ruleId": finding.code,
        "ruleIndex": list(RULES).index(finding.code),
        "level": str(finding.severity),
        "message": _text(finding.message),
        "locations": [where],
        "partialFingerprints": {"placeInProposal/v1": fingerprint},
    }


def _text(text: str) -> dict[str, str]:
    return {"text": utf8_text(safe_line(text))}
