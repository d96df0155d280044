//! What people find who open the address in a browser, and the description of the API.

use super::table::{Routes, get};
use crate::api::Public;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// The API for programs that read its description (OpenAPI 3.1).
const OPENAPI: &str = include_str!("../../openapi.json");

/// Paths beside the API. RabbitMQ's are the same, and answer without credentials too.
pub(super) fn table() -> Routes {
    Routes::default()
        .route("/", get(home))
        .route("/api", get(to_reference))
        .route("/api/index.html", get(reference))
        .route("/api/openapi.json", get(openapi))
        .route("/doc/stats.html", get(to_reference))
        .route("/stats", get(to_reference))
        .route("/cli", get(tools))
        .route("/cli/", get(tools))
        .route("/cli/index.html", get(tools))
        .route("/cli/rabbitmqadmin", get(no_download))
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    ))
}

fn moved(to: &str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
}

async fn home(public: Public) -> Html<String> {
    let prefix = &public.http().path_prefix;
    let links = format!(
        "<p>The HTTP API is at <a href=\"{prefix}/api/index.html\">{prefix}/api</a>, and what is known of command line \
         tools at <a href=\"{prefix}/cli/\">{prefix}/cli</a>.</p>"
    );
    page("Leveret", &links)
}

async fn to_reference(public: Public) -> Response {
    moved(&format!("{}/api/index.html", public.http().path_prefix))
}

async fn openapi(_public: Public) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Every path with its verbs, from the same table that serves them.
async fn reference(public: Public) -> Html<String> {
    let mut rows = String::new();
    let mut routes = super::routes();
    routes.sort_by(|left, right| left.path.cmp(&right.path));
    for route in routes {
        rows += &format!("<tr><td>{}</td><td>{}</td><td>{:?}</td></tr>\n", route.verb, route.path, route.access);
    }
    let prefix = &public.http().path_prefix;
    let body = format!(
        "<p>The same for programs: <a href=\"{prefix}/api/openapi.json\">openapi.json</a>.</p>\n\
         <table>\n<tr><th>verb</th><th>path</th><th>who may use it</th></tr>\n{rows}</table>"
    );
    page("HTTP API", &body)
}

const TOOLS: &str = "<p><code>rabbitmqadmin</code> is RabbitMQ's, and works here unchanged: install the package \
    <code>rabbitmq-server</code> of Debian for the one in Python, or take version 2 from \
    <a href=\"https://github.com/rabbitmq/rabbitmqadmin-ng/releases\">its releases</a>. \
    <code>leveret ctl</code> administers the broker on its own machine.</p>";

async fn tools(_public: Public) -> Html<String> {
    page("Command line tools", TOOLS)
}

/// Nothing that would pass for a program: who downloads it and runs it sees what happened.
async fn no_download(_public: Public) -> Response {
    (StatusCode::NOT_FOUND, page("rabbitmqadmin is not served here", TOOLS)).into_response()
}
