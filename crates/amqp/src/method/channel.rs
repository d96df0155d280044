//! Class 20, channel.

use super::arguments::methods;

methods! {
    /// channel.open.
    Open (out_of_band: &str) {} ();
    /// channel.open-ok.
    OpenOk (channel_id: &[u8]) {} ();
    /// channel.flow: whether the peer may send content.
    Flow () { active: bool } ();
    /// channel.flow-ok.
    FlowOk () { active: bool } ();
    /// channel.close: a reply code and text, and the method at fault or 0/0.
    Close<'a> () { reply_code: u16, reply_text: &'a str, class_id: u16, method_id: u16 } ();
    /// channel.close-ok.
    CloseOk () {} ();
}
