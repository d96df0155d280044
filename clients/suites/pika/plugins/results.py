"""A pytest plugin that writes `pass NAME`, `fail NAME` or `skip NAME` for each test to RESULTS_FD."""

import os

WORDS = {"passed": "pass", "failed": "fail", "skipped": "skip"}
results = {}


def pytest_runtest_logreport(report):
    # Set-up, call and tear-down are reported one after the other; a failure of any of them stays.
    if results.get(report.nodeid) != "fail" and (report.when == "call" or not report.passed):
        results[report.nodeid] = WORDS[report.outcome]


def pytest_sessionfinish():
    with os.fdopen(int(os.environ["RESULTS_FD"]), "w") as output:
        for name, result in results.items():
            print(result, name.removeprefix("tests/acceptance/"), file=output)
