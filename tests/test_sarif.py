"""SARIF 2.1.0: against the standard's own rules, and its schema where a copy of it is at hand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aptdither.errors import Location
from aptdither.findings import Finding
from aptdither.report.check import CheckedFile
from aptdither.report.sarif import artifact_uri, sarif_log
from aptdither.review.rules import RULES

LEVELS = {"none", "note", "warning", "error"}
URI_REFERENCE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
TEXTS = st.text(max_size=30)


def findings() -> st.SearchStrategy[Finding]:
    return st.builds(
        lambda code, message, location: RULES[code].finding(message, location),
        st.sampled_from(sorted(RULES)),
        st.text(min_size=1, max_size=60),
        st.builds(
            Location,
            visit=st.none() | TEXTS,
            exposure=st.none() | TEXTS,
            line=st.none() | st.integers(1, 10**6),
        ),
    )


FILES = st.lists(
    st.builds(
        CheckedFile,
        path=st.text(st.characters(blacklist_characters="\0"), min_size=1, max_size=30),
        sha256=st.none() | st.just("0" * 64),
        findings=st.lists(findings(), max_size=5).map(tuple),
        error=st.none() | st.text(min_size=1, max_size=30),
    ),
    max_size=4,
    unique_by=lambda file: artifact_uri(file.path),
)


def hold_to_the_standard(log: dict[str, Any]) -> None:
    """Check what SARIF 2.1.0 demands of the properties that are written (sections in brackets)."""
    assert log["version"] == "2.1.0"  # 3.13.2
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]  # 3.19.8
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)  # 3.49.3
    for rule in driver["rules"]:
        assert rule["defaultConfiguration"]["level"] in LEVELS  # 3.50.3
        for key in ("shortDescription", "fullDescription", "help"):
            assert rule[key]["text"]  # 3.12.3
    artifacts = run["artifacts"]

    def hold_location(location: dict[str, Any]) -> None:
        artifact = location["physicalLocation"]["artifactLocation"]  # 3.28.3
        assert URI_REFERENCE.fullmatch(artifact["uri"])  # 3.10
        assert artifacts[artifact["index"]]["location"]["uri"] == artifact["uri"]  # 3.4.5
        region = location["physicalLocation"].get("region")
        assert region is None or region["startLine"] >= 1  # 3.30.5

    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]  # 3.27.6
        assert result["level"] in LEVELS  # 3.27.10
        assert result["message"]["text"]  # 3.27.11
        hold_location(*result["locations"])
        assert all(re.fullmatch("[0-9a-f]+", v) for v in result["partialFingerprints"].values())
    for invocation in run["invocations"]:
        notifications = invocation["toolExecutionNotifications"]
        assert invocation["executionSuccessful"] is not bool(notifications)  # 3.20.14
        for notification in notifications:
            assert notification["level"] in LEVELS  # 3.58.6
            assert notification["message"]["text"]
            hold_location(*notification["locations"])


@given(FILES)
def test_every_log_keeps_to_the_standard(files: list[CheckedFile]) -> None:
    log = sarif_log(files)
    text = json.dumps(log, allow_nan=False)
    text.encode("utf-8")  # no lone surrogates, however odd the names
    hold_to_the_standard(json.loads(text))
    assert len(log["runs"][0]["results"]) == sum(len(file.findings) for file in files)


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft4Validator:
    """The standard's schema: npm's @microsoft/jest-sarif ships it."""
    named = os.environ.get("APTDITHER_SARIF_SCHEMA")
    if not named:
        pytest.skip("no copy of the SARIF schema (tests/tools/get-sarif-schema fetches one)")
    return jsonschema.Draft4Validator(json.loads(Path(named).read_text(encoding="utf-8")))


@settings(max_examples=20, phases=[Phase.generate])  # each takes a while; shrinking takes an hour
@given(files=FILES)
def test_every_log_obeys_the_official_schema(
    official: jsonschema.Draft4Validator, files: list[CheckedFile]
) -> None:
    log = json.loads(json.dumps(sarif_log(files)))
    assert [error.message for error in official.iter_errors(log)] == []


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a/b.apt", "a/b.apt"),
        ("a b/ü#1.apt", "a%20b/%C3%BC%231.apt"),
        ("c:d.apt", "./c:d.apt"),
        ("100%.apt", "100%25.apt"),
        ("/data/x y.apt", "file:///data/x%20y.apt"),
        ("odd\udcff.apt", "odd%FF.apt"),
        ("/odd\ud800.apt", "file:///odd%5Cud800.apt"),
    ],
)
def test_names_become_uris(path: str, uri: str) -> None:
    assert artifact_uri(path) == uri


def test_fingerprints_outlive_moved_lines_and_tell_twins_apart() -> None:
    def prints(*lines: int) -> list[str]:
        location = [Location(visit="01", exposure="1", line=line) for line in lines]
        log = sarif_log(
            [
                CheckedFile(
                    path="a.apt", findings=tuple(RULES["ADT201"].finding("m", p) for p in location)
                )
            ]
        )
        return [r["partialFingerprints"]["placeInProposal/v1"] for r in log["runs"][0]["results"]]

    assert prints(3, 4) == prints(30, 40)
    assert len(set(prints(3, 4))) == 2
