//! Forms with files (`multipart/form-data`, RFC 7578), whole in memory.

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    /// As the browser names it; `None` for a field that is no file.
    pub(crate) file_name: Option<String>,
    pub(crate) content: &'a [u8],
}

/// The boundary that a content type names, if it is that of a form.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, value) = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= 70).then(|| value.to_owned())
}

/// The fields of a form; `None` when it is not one.
pub(crate) fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    // What stands before the first delimiter means nothing.
    let mut rest = &body[find(body, delimiter.as_bytes())? + delimiter.len()..];
    let delimiter = format!("\r\n{delimiter}");
    while !rest.starts_with(b"--") {
        rest = skip_line_end(rest)?;
        let end = find(rest, delimiter.as_bytes())?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
    Some(parts)
}

/// Blanks may stand behind a delimiter.
fn skip_line_end(rest: &[u8]) -> Option<&[u8]> {
    let end = find(rest, b"\r\n")?;
    rest[..end].iter().all(|byte| matches!(byte, b' ' | b'\t')).then(|| &rest[end + 2..])
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let disposition = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, disposition) =
        disposition.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))?;
    let parameter = |wanted: &str| {
        let mut parameters = disposition.split(';').filter_map(|parameter| parameter.split_once('='));
        let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(value.trim().trim_matches('"').to_owned())
    };
    Some(Part { name: parameter("name")?, file_name: parameter("filename"), content: &bytes[end + 4..] })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, _) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|byte| byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_apart() {
        let form =
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\nContent-Type: x\r\n\r\n\
            {\r\n}\r\n--b\r\ncontent-disposition: form-data; name=redirect\r\n\r\n../x\r\n--b--\r\n";
        let found = parts(form, "b").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].content), ("file", &b"{\r\n}"[..]));
        assert_eq!(found[0].file_name.as_deref(), Some("a.json"));
        assert_eq!((found[1].name.as_str(), found[1].content), ("redirect", &b"../x"[..]));
        assert_eq!(found[1].file_name, None);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in [&b""[..], b"--", b"--b", b"--b\r\n", b"--b\r\n\r\n\r\n--b--", b"--bxx\r\nname: x\r\n\r\n", b"{}"] {
            assert_eq!(parts(body, "b"), None, "{body:?}");
        }
        assert_eq!(parts(b"--b--", "b"), Some(Vec::new()));
    }

    #[test]
    fn the_boundary_is_in_the_content_type() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("Multipart/Form-Data;charset=x; Boundary=abc").as_deref(), Some("abc"));
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("application/json; boundary=x"), None);
    }
}
