//! The memory monitor as the engine knows it: something that can be asked and told.

use super::{AdminError, AdminReply};
use crate::broker::Broker;

/// When publishers have to wait for memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryWatermark {
    /// Share of the available memory, 0 to 1 and above.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// Memory in use, and how much may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// In use when last looked at, in bytes.
    pub used_bytes: u64,
    /// From here on publishers wait, in bytes.
    pub limit_bytes: u64,
    /// What a relative watermark is a share of, in bytes.
    pub total_bytes: u64,
}

/// Whoever watches memory and raises the alarm.
pub trait MemoryControl: Send + Sync {
    /// Changes the watermark at once.
    fn set_watermark(&self, watermark: MemoryWatermark);
    /// The figures when memory was last looked at.
    fn figures(&self) -> MemoryFigures;
}

impl Broker {
    /// Sets who watches memory; once. Without, the watermark cannot be changed.
    pub fn set_memory_control(&self, control: Box<dyn MemoryControl>) {
        // A second call would be a mistake of the wiring; the first stays.
        let _ = self.memory_control.set(control);
    }

    /// The figures when memory was last looked at; zeros without a monitor.
    pub fn memory_figures(&self) -> MemoryFigures {
        self.memory_control.get().map(|control| control.figures()).unwrap_or_default()
    }

    pub(super) fn set_memory_watermark(&self, watermark: MemoryWatermark) -> Result<AdminReply, AdminError> {
        if matches!(watermark, MemoryWatermark::Relative(share) if !share.is_finite() || share < 0.0) {
            return Err(AdminError::Invalid("the memory watermark must be a number from 0 up".to_owned()));
        }
        let Some(control) = self.memory_control.get() else {
            return Err(AdminError::Unavailable("memory is not monitored".to_owned()));
        };
        control.set_watermark(watermark);
        Ok(AdminReply::Done)
    }
}
