//! Class 85, confirm: RabbitMQ's publisher confirms.

use super::arguments::methods;

methods! {
    /// confirm.select.
    Select () { nowait: bool } ();
    /// confirm.select-ok.
    SelectOk () {} ();
}
