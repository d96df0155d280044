//! Class 90, tx.

use super::arguments::methods;

methods! {
    /// tx.select.
    Select () {} ();
    /// tx.select-ok.
    SelectOk () {} ();
    /// tx.commit.
    Commit () {} ();
    /// tx.commit-ok.
    CommitOk () {} ();
    /// tx.rollback.
    Rollback () {} ();
    /// tx.rollback-ok.
    RollbackOk () {} ();
}
