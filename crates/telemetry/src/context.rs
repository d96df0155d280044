//! W3C Trace Context.

/// The header `traceparent` of a message: which trace it belongs to, and the span that it was published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: [u8; 8],
    /// True when whoever began the trace records it.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads `00-TRACE-SPAN-FLAGS`; later versions may have more behind it (section 3.2 of the specification).
    pub fn parse(text: &str) -> Option<TraceParent> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(55)?;
        let [version, trace, span, flags] = [0..2, 3..35, 36..52, 53..55].map(|range| &head[range]);
        let has_dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        let version = hex::<1>(version)?[0];
        let ends = match version {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !has_dashes || !ends {
            return None;
        }
        let parent = TraceParent { trace: hex(trace)?, span: hex(span)?, sampled: hex::<1>(flags)?[0] & 1 == 1 };
        (parent.trace != [0; 16] && parent.span != [0; 8]).then_some(parent)
    }

    /// True for this share of all traces, and the same for all spans of one: as OpenTelemetry's ratio sampler, by the
    /// last 8 bytes of the id.
    pub fn is_within(&self, ratio: f64) -> bool {
        let mut low = [0; 8];
        low.copy_from_slice(&self.trace[8..]);
        ratio >= 1.0 || (u64::from_be_bytes(low) >> 1) < (ratio.max(0.0) * (1_u64 << 63) as f64) as u64
    }
}

/// Lower case only, as the specification has it.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (text.len() == 2 * N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_parent_is_a_trace_a_span_and_a_flag() {
        let parent = TraceParent::parse(PARENT).unwrap();
        assert_eq!((parent.trace[0], parent.trace[15], parent.span[0]), (0x0a, 0x9c, 0xb7));
        assert!(parent.sampled);
        assert!(!TraceParent::parse(&PARENT.replace("-01", "-00")).unwrap().sampled);
        let later = format!("cc{}-more", &PARENT[2..]);
        assert!(TraceParent::parse(&later).is_some());
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            &PARENT.to_uppercase(),
            &format!("ff{}", &PARENT[2..]),
            &format!("{PARENT}-more"),
            &PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &PARENT.replace("b7ad6b7169203331", &"0".repeat(16)),
            &PARENT.replace('-', "_"),
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_ratio_takes_that_share_of_traces() {
        let mut parent = TraceParent::parse(PARENT).unwrap();
        assert!(parent.is_within(1.0) && !parent.is_within(0.0));
        let mut taken = 0;
        for at in 0..1000_u64 {
            parent.trace[8..].copy_from_slice(&at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            taken += usize::from(parent.is_within(0.25));
        }
        assert!((200..300).contains(&taken), "{taken}");
    }
}
