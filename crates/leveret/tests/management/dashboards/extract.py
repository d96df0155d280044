#!/usr/bin/env python3
"""Lists what RabbitMQ's Grafana dashboards and alert rules ask Prometheus for.

Usage: extract.py RABBITMQ_SERVER CLUSTER_OPERATOR > expressions.tsv

The arguments are git repositories, bare or not: rabbitmq/rabbitmq-server and rabbitmq/cluster-operator. Each line of the
output is a fact about a query: the dashboard or rule, the name of a metric, and the label matchers that do not depend on
a variable of the dashboard. Nothing else is taken over.
"""
import json
import re
import subprocess
import sys

DASHBOARDS = "deps/rabbitmq_prometheus/docker/grafana/dashboards"
RULES = "observability/prometheus/rules"
# Comparisons of tools, and pages that RabbitMQ does not publish.
NOT_PUBLISHED = {"inet_tcp_metrics", "rabbitmq-exporter_vs_rabbitmq-prometheus"}
WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "inf"}
MATCHER = re.compile(r'([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def git(repository, *arguments):
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True, text=True).stdout


def files(repository, directory, ending):
    names = git(repository, "ls-tree", "-r", "--name-only", "HEAD", directory).split()
    return [(name, git(repository, "show", "HEAD:" + name)) for name in names if name.endswith(ending)]


def queries(value):
    """Every PromQL text in a dashboard."""
    if isinstance(value, dict) and value.get("type") != "datasource":
        for key, inner in value.items():
            if key in ("expr", "query", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from queries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from queries(inner)


def metrics(query):
    """Names of metrics in a query, each with its matchers."""
    query = re.sub(r"\[\s*[^]]*\]", "", query)
    query = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", query)
    values = re.fullmatch(r"\s*label_values\((?:(.*),)?\s*\w+\s*\)\s*", query, re.S)
    if values:
        query = values.group(1) or ""
    place = 0
    while place < len(query):
        text = re.compile(r'"(?:[^"\\]|\\.)*"').match(query, place)
        if text:
            place = text.end()
            continue
        name = re.compile(r"[A-Za-z_:][\w:]*").match(query, place)
        if not name or (place and re.match(r"[\w$.]", query[place - 1])):
            place += 1
            continue
        place = name.end()
        after = query[place:].lstrip()
        if after.startswith("(") or name.group().lower() in WORDS:
            continue
        matchers = []
        if after.startswith("{"):
            start = query.index("{", place)
            place = query.index("}", start) + 1
            matchers = [m.groups() for m in MATCHER.finditer(query, start, place) if "$" not in m.group(3)]
        yield name.group(), ",".join('%s%s"%s"' % matcher for matcher in sorted(set(matchers)))


def rule_queries(text):
    """The expressions of a file of rules, without a parser of YAML: a block below `expr:`, or what is behind it."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        found = re.match(r"(\s*(?:- )?)expr:\s*(.*)", line)
        if not found:
            continue
        indent, rest = len(found.group(1)), found.group(2)
        if rest and rest not in ("|", ">", "|-", ">-"):
            yield rest
            continue
        block = []
        for below in lines[at + 1:]:
            if below.strip() and len(below) - len(below.lstrip()) <= indent:
                break
            block.append(below.split(" #")[0])
        yield "\n".join(block)


def main():
    server, operator = sys.argv[1:]
    facts = set()
    for name, text in files(server, DASHBOARDS, ".json"):
        dashboard = name.rsplit("/", 1)[1].removesuffix(".json")
        if dashboard not in NOT_PUBLISHED:
            for query in queries(json.loads(text)):
                facts.update((dashboard, *fact) for fact in metrics(query))
    recorded = set()
    for name, text in files(operator, RULES, ".yml"):
        rule = "rules/" + name.rsplit("/", 1)[1].removesuffix(".yml")
        recorded.update(re.findall(r"^\s*(?:- )?record:\s*(\S+)", text, re.M))
        for query in rule_queries(text):
            facts.update((rule, *fact) for fact in metrics(query))
    # What a rule records is asked of Prometheus, and never of a broker.
    for fact in sorted(fact for fact in facts if fact[1] not in recorded):
        print("\t".join(fact))


main()
